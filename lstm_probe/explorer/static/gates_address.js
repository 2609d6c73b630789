// The page behind #gates: it goes on to the tab, and takes what the address says along.

const [FROM, TO] = ["#gates", "#lstm_probe"];

export function render() {
  const { location } = window.parent;
  const [name, ...rest] = location.hash.split("&");
  if (name === FROM) location.replace(location.href.split("#")[0] + [TO, ...rest].join("&"));
}
