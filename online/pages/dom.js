// Makes elements. Text goes in as text, never as markup: titles come from data.

/**
 * The element of that id, which the page's HTML has. `kind`: what it is, where more is wanted of it than of any element.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [kind]
 * @returns {T}
 */
export function $(id, kind) {
  const node = document.getElementById(id);
  if (!(node instanceof (kind ?? HTMLElement))) throw new Error(`the page has no ${kind?.name ?? "element"} “${id}”`);
  return /** @type {T} */ (node);
}

/** An element's children, which are HTML's here: `dataset` and the like are theirs. @returns {HTMLElement[]} */
export const childrenOf = (/** @type {Element} */ parent) => /** @type {HTMLElement[]} */ ([...parent.children]);

/** What has the keyboard. @returns {HTMLElement | null} */
export const focused = () => (document.activeElement instanceof HTMLElement ? document.activeElement : null);

/**
 * el("p.note.big", {title: "…"}, "text", child) → <p class="note big" title="…">text…</p>; null children are left out.
 * @param {string} what
 * @param {Record<string, any>} attributes
 * @param {(Node | string | null | undefined)[]} children
 */
export function el(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/**
 * The same for a picture: svg("path", {d: "…"}).
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {(Node | string | null | undefined)[]} children
 */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A picture of one path, 24 by 24, in the colour of the text around it. */
export const icon = (/** @type {string} */ path) => svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: path }));

/** What went wrong, and a button that tries again. @param {Error} fault @param {() => void} again @returns {[string, HTMLElement]} */
export const withRetry = (fault, again) => [`${fault.message} `, el("button", { type: "button", onclick: again }, "Try again")];

/**
 * Make the content of `parent` be `children`, as `el` has them, and leave what is there already as it is: it keeps focus and selection. For
 * what listens to nothing: an element that stays keeps its own listeners.
 * @param {Element} parent
 * @param {(Node | string | null | undefined)[]} children
 */
export function patch(parent, ...children) {
  const wanted = [...el("div", {}, ...children).childNodes];
  wanted.forEach((node, at) => {
    const old = parent.childNodes[at];
    if (old === undefined) parent.append(node);
    else if (old instanceof Element && node instanceof Element && sameTag(old, node)) patch(old, ...node.childNodes);
    else if (!old.isEqualNode(node)) old.replaceWith(node);
  });
  while (parent.childNodes.length > wanted.length) parent.lastChild?.remove();
}

/** Whether two elements differ in their content at most. */
const sameTag = (/** @type {Element} */ one, /** @type {Element} */ other) => one.cloneNode(false).isEqualNode(other.cloneNode(false));

/**
 * Make the children of `parent` be `wanted`, in that order, and reuse what is there: an element that stays keeps its focus
 * and its animations. `wanted` is [{key, make, update}]; `make` gives a new element, `update` gets the element in either case.
 * @param {HTMLElement} parent
 * @param {{key: string | number, make: () => HTMLElement, update: (node: any) => unknown}[]} wanted
 */
export function reconcile(parent, wanted) {
  /** @type {Map<string, HTMLElement>} */
  const there = new Map();
  for (const node of childrenOf(parent)) {
    if (node.dataset.key !== undefined) there.set(node.dataset.key, node);
    else if (!node.dataset.leaving) node.remove(); // a skeleton, or a note
  }
  const keys = new Set(wanted.map(({ key }) => String(key)));
  for (const [key, node] of there) if (!keys.has(key)) node.remove();
  let next = parent.firstElementChild;
  for (const { key, make, update } of wanted) {
    let node = there.get(String(key));
    if (node === undefined) {
      node = make();
      node.dataset.key = String(key);
    }
    update(node);
    if (node === next) next = node.nextElementSibling;
    else parent.insertBefore(node, next);
  }
}
