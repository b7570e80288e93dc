/** A small tree of nodes, and the least change that makes the document show it.
 *
 * A node is a string or `{tag, attrs, children}`. A string only ever becomes a text node; tags and
 * the names of attributes stand in this page's code, so text from a model cannot become an element.
 */

export const h = (tag, attrs = {}, ...children) => ({ tag, attrs, children: children.flat() });

const NAMESPACES = {
  math: "http://www.w3.org/1998/Math/MathML",
  svg: "http://www.w3.org/2000/svg",
};

/** The document's node for a node of the tree; `parent` gives it its namespace. */
function build(node, parent) {
  if (typeof node === "string") return new Text(node);
  const element = document.createElementNS(NAMESPACES[node.tag] ?? parent.namespaceURI, node.tag);
  for (const [name, value] of Object.entries(node.attrs)) element.setAttribute(name, value);
  element.append(...node.children.map((child) => build(child, element)));
  return element;
}

/** Makes the children of `parent`, from `offset` on, show `after`, where they now show `before`. */
export function patch(parent, before, after, offset = 0) {
  const common = Math.min(before.length, after.length);
  for (let at = 0; at < common; at += 1) {
    if (before[at] !== after[at]) patchNode(parent.childNodes[offset + at], before[at], after[at]);
  }
  for (let at = common; at < before.length; at += 1) parent.childNodes[offset + common].remove();
  if (after.length > common) {
    parent.append(...after.slice(common).map((node) => build(node, parent)));
  }
}

function patchNode(shown, before, after) {
  const texts = typeof before === "string" && typeof after === "string";
  if (texts && after.startsWith(before)) shown.appendData(after.slice(before.length));
  else if (!texts && before.tag === after.tag && sameAttrs(before.attrs, after.attrs)) {
    patch(shown, before.children, after.children);
  } else shown.replaceWith(build(after, shown.parentNode));
}

function sameAttrs(one, other) {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
  );
}
