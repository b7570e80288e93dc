/** A virtual DOM: plain nodes, and the smallest change that makes the document show them.
 *
 * A node is a string or `{tag, attrs, children}`. A string only ever becomes a text node. Tags and
 * attribute names are literals of this page's code, so a model's text cannot become an element.
 * The attribute `style` is an object of declarations, as the page's policy forbids inline styles.
 */

export const h = (tag, attrs = {}, ...children) => ({ tag, attrs, children: children.flat() });

const NAMESPACES = {
  math: "http://www.w3.org/1998/Math/MathML",
  svg: "http://www.w3.org/2000/svg",
};

/** The document's node for a virtual node. It has its parent's namespace. */
function build(node, parent) {
  if (typeof node === "string") return new Text(node);
  const element = document.createElementNS(NAMESPACES[node.tag] ?? parent.namespaceURI, node.tag);
  for (const [name, value] of Object.entries(node.attrs)) {
    if (name === "style") declare(element.style, value);
    else element.setAttribute(name, value);
  }
  element.append(...node.children.map((child) => build(child, element)));
  return element;
}

function declare(style, declarations) {
  for (const [name, value] of Object.entries(declarations)) {
    style.setProperty(
      name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
      value,
    );
  }
}

/** Updates the children of `parent`, from index `offset` on, from `before` to `after`. */
export function patch(parent, before, after, offset = 0) {
  const common = Math.min(before.length, after.length);
  for (let i = 0; i < common; i += 1) {
    if (before[i] !== after[i]) patchNode(parent.childNodes[offset + i], before[i], after[i]);
  }
  for (let i = common; i < before.length; i += 1) parent.childNodes[offset + common].remove();
  if (after.length > common) {
    parent.append(...after.slice(common).map((node) => build(node, parent)));
  }
}

function patchNode(shown, before, after) {
  const bothText = typeof before === "string" && typeof after === "string";
  if (bothText && after.startsWith(before)) shown.appendData(after.slice(before.length));
  else if (!bothText && before.tag === after.tag && sameAttrs(before.attrs, after.attrs)) {
    patch(shown, before.children, after.children);
  } else shown.replaceWith(build(after, shown.parentNode));
}

function sameAttrs(a, b) {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
