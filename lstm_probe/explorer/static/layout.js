// Where the panels of the grid stand.

import { TITLE_HEIGHT } from "./panel.js";

const GAP = 18;
const LEFT = 46;
const RIGHT = 10;
const SMALLEST_WIDTH = 150;
const SMALLEST_HEIGHT = 96;
const SECTION_TITLE = 24;

/**
 * Gives every panel a `rect`, and returns the height of the whole picture.
 *
 * @param sections each `{panels, columns, above}`; more than one have titles. Above the panels of each
 *   column is room for strips, `above` pixels high, where `section.places` says.
 * @param bottom the room below the panels for the labels of timesteps.
 */
export function layOut(sections, width, height, bottom) {
  const titled = sections.length > 1;
  const rows = sections.reduce((sum, section) => sum + Math.ceil(section.panels.length / section.columns), 0);
  const strips = sections.reduce((sum, section) => sum + (section.above ?? 0), 0);
  const fixed = strips + sections.length * (bottom + 18 + (titled ? SECTION_TITLE : 0)) + rows * (TITLE_HEIGHT + 12);
  const panelHeight = Math.max(SMALLEST_HEIGHT, Math.floor((height - fixed) / rows));
  let y = 4;
  for (const section of sections) {
    section.y = y;
    if (titled) y += SECTION_TITLE;
    const panelWidth = Math.floor((width - LEFT - RIGHT - (section.columns - 1) * GAP) / section.columns);
    section.places = Array.from({ length: section.columns }, (_, column) => ({ x: LEFT + column * (panelWidth + GAP), y, width: panelWidth }));
    y += section.above ?? 0;
    const lastRow = Math.ceil(section.panels.length / section.columns) - 1;
    section.panels.forEach((panel, index) => {
      const [row, column] = [Math.floor(index / section.columns), index % section.columns];
      panel.rect = {
        x: LEFT + column * (panelWidth + GAP),
        y: y + TITLE_HEIGHT + row * (panelHeight + TITLE_HEIGHT + 12),
        width: panelWidth,
        height: panelHeight,
      };
      panel.leftmost = column === 0;
      panel.lowest = row === lastRow || index + section.columns >= section.panels.length;
    });
    y += (lastRow + 1) * (panelHeight + TITLE_HEIGHT + 12) + bottom + 18;
  }
  return y;
}

/** How many columns of panels fit. */
export function columnsFor(panels, width, wanted) {
  const most = Math.max(1, Math.floor((width - LEFT - RIGHT + GAP) / (SMALLEST_WIDTH + GAP)));
  return Math.max(1, Math.min(most, wanted || (panels === 4 ? 2 : 3), panels));
}
