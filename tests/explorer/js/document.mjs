// The little of a document that dom.js asks for, for modules that only make elements.

class Element extends EventTarget {
  className = "";
  children = [];
  attributes = new Map();

  constructor(tag) {
    super();
    this.tag = tag;
  }

  setAttribute(name, value) {
    this.attributes.set(name, value);
  }

  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }

  append(...children) {
    this.children.push(...children);
  }

  replaceChildren(...children) {
    this.children = children;
  }

  /** As in a browser: the text of everything inside, and markup is text too. */
  get textContent() {
    return this.children.map((child) => (child instanceof Element ? child.textContent : String(child))).join("");
  }

  /** Every element inside that has a class. */
  all(name) {
    const inside = this.children.filter((child) => child instanceof Element);
    return [...inside.filter((child) => child.className.split(" ").includes(name)), ...inside.flatMap((child) => child.all(name))];
  }
}

globalThis.document = Object.assign(new EventTarget(), { createElement: (tag) => new Element(tag), hidden: false });

/** Several elements, as one. */
export function within(...elements) {
  const element = new Element("div");
  element.append(...elements.flat(Infinity).filter((each) => each !== null));
  return element;
}
