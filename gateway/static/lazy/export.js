/** Exports the timeline as an image. An image has no style sheet: its styles become attributes. */

const STYLE_ATTRIBUTES = [
  "fill",
  "stroke",
  "stroke-width",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
];
const MARGIN_PX = 16;
const PNG_SCALE = 2;

/** The text of an SVG file that looks as the drawing does on the page. */
export function svgText(drawing) {
  const copy = drawing.cloneNode(true);
  const originals = [drawing, ...drawing.querySelectorAll("*")];
  for (const [i, element] of [copy, ...copy.querySelectorAll("*")].entries()) {
    const style = getComputedStyle(originals[i]);
    for (const name of STYLE_ATTRIBUTES) element.setAttribute(name, style.getPropertyValue(name));
    element.removeAttribute("class");
  }
  const [width, height] = ["width", "height"].map(
    (name) => Number(drawing.getAttribute(name)) + 2 * MARGIN_PX,
  );
  copy.setAttribute("viewBox", `${-MARGIN_PX} ${-MARGIN_PX} ${width} ${height}`);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const background = document.createElementNS(copy.namespaceURI, "rect");
  for (const [name, value] of Object.entries({
    x: -MARGIN_PX,
    y: -MARGIN_PX,
    width,
    height,
    fill: getComputedStyle(drawing.closest("[data-background]")).backgroundColor,
  })) {
    background.setAttribute(name, value);
  }
  copy.prepend(background);
  return new XMLSerializer().serializeToString(copy);
}

/** A PNG blob of an SVG file's text. */
export async function png(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width * PNG_SCALE, image.height * PNG_SCALE);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/png" });
}
