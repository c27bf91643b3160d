// Moves what a change moved: measure before (First), change, measure after (Last), play the difference (Invert, Play).
// Web Animations, since a style attribute would be refused by the Content-Security-Policy.

const MOVE = { duration: 450, easing: "cubic-bezier(.2, .8, .2, 1)" };
const COME = { duration: 350, easing: "ease-out" };
const GO = { duration: 300, easing: "ease-in", fill: "forwards" };

const still = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Run `change`, which adds, removes and moves children of `parent`, and animate what it did.
 * @param {HTMLElement} parent
 * @param {() => unknown} change
 */
export function flip(parent, change) {
  if (still.matches) {
    change();
    return;
  }
  const frame = parent.getBoundingClientRect();
  const before = new Map();
  for (const node of parent.children) if (isReal(node)) before.set(node, node.getBoundingClientRect());
  change();
  for (const node of parent.children) running.get(node)?.cancel();
  // All is measured before anything is animated: each turn from one to the other would lay the page out again.
  const after = [...parent.children].filter(isReal).map((node) => /** @type {[HTMLElement, DOMRect]} */ ([node, node.getBoundingClientRect()]));
  for (const [node, to] of after) {
    const from = before.get(node);
    if (from) move(node, from, to);
    else if (before.size && inSight(to)) running.set(node, node.animate([{ opacity: 0, transform: "scale(.92)" }, { opacity: 1, transform: "none" }], COME));
  }
  for (const [node, from] of before) if (node.parentElement !== parent && inSight(from)) leave(parent, node, from, frame);
}

const running = new WeakMap(); // node → its animation; to ask the browser for them would cost a style pass

const inSight = ({ top, bottom }) => bottom > 0 && top < innerHeight;

const isReal = (node) => node.dataset.key !== undefined;

function move(node, from, to) {
  const x = from.left - to.left;
  const y = from.top - to.top;
  if ((Math.abs(x) < 1 && Math.abs(y) < 1) || !(inSight(from) || inSight(to))) return;
  running.set(node, node.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: "none" }], MOVE));
}

/** What was removed stays a moment as a ghost: out of the flow, and not there for keyboards and screen readers. */
function leave(parent, node, from, frame) {
  delete node.dataset.key;
  node.dataset.leaving = "true"; // others leave it alone
  node.classList.add("ghost");
  node.inert = true;
  node.setAttribute("aria-hidden", "true");
  Object.assign(node.style, {
    left: `${from.left - frame.left + parent.scrollLeft}px`,
    top: `${from.top - frame.top}px`,
    width: `${from.width}px`,
    height: `${from.height}px`,
  });
  parent.append(node);
  const end = () => node.remove();
  node.animate([{ opacity: 1, transform: "none" }, { opacity: 0, transform: "scale(.8)" }], GO).finished.then(end, end);
}
