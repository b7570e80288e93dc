/** The drawing of a timeline as a picture of its own: with its colours written out. */

const PAINTED = [
  "fill",
  "stroke",
  "stroke-width",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
];
const MARGIN_PX = 16;
const SCALE = 2;

/** An SVG file's text for a drawing that is on the page. */
export function svgText(drawing) {
  const copy = drawing.cloneNode(true);
  const shown = [drawing, ...drawing.querySelectorAll("*")];
  for (const [at, element] of [copy, ...copy.querySelectorAll("*")].entries()) {
    const style = getComputedStyle(shown[at]);
    for (const name of PAINTED) element.setAttribute(name, style.getPropertyValue(name));
    element.removeAttribute("class");
  }
  const [width, height] = ["width", "height"].map(
    (name) => Number(drawing.getAttribute(name)) + 2 * MARGIN_PX,
  );
  copy.setAttribute("viewBox", `${-MARGIN_PX} ${-MARGIN_PX} ${width} ${height}`);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const paper = document.createElementNS(copy.namespaceURI, "rect");
  const background = getComputedStyle(drawing.closest("[data-paper]")).backgroundColor;
  for (const [name, value] of Object.entries({
    x: -MARGIN_PX,
    y: -MARGIN_PX,
    width,
    height,
    fill: background,
  })) {
    paper.setAttribute(name, value);
  }
  copy.prepend(paper);
  return new XMLSerializer().serializeToString(copy);
}

/** The same as a PNG file. */
export async function png(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width * SCALE, image.height * SCALE);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/png" });
}
