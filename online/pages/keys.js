// Keys that the server asks for. They live in this page's memory alone: not in the address, not in storage, never shown; a page
// that is left forgets them.

import { el } from "./dom.js";

const KINDS = {
  api: { header: "X-API-Key", name: "API key", why: "This server answers only with an API key." },
  admin: { header: "X-Admin-Key", name: "Admin key", why: "Starting and stopping a replay needs a key of the role admin: admin_key of access.json, in the home's folder on the server, or one that ./martlet keys has made." },
};
// What a header takes, and no key has a blank in it.
const FITS = /^[\x21-\x7e]+$/;
const held = new Map();
let asking = null;
let declined = false; // who would not give the API key is not asked again by each call of this page

/** Headers for what is held now. `kinds`: of KINDS. */
export const keyHeaders = (kinds) => Object.fromEntries(kinds.filter((kind) => held.has(kind)).map((kind) => [KINDS[kind].header, held.get(kind)]));

/** The key that is held now, if any. */
export const keyOf = (kind) => held.get(kind);

/**
 * Ask the person for a key; true once one was given, false if they would not. `refused`: what the call had, if anything: where another
 * call has asked since, the key is a newer one, and nobody is asked twice. Calls that come meanwhile wait for the same answer.
 */
export function askKey(kind, refused) {
  if (held.get(kind) !== refused && !asking) return Promise.resolve(held.has(kind));
  if (kind === "api" && declined) return Promise.resolve(false);
  asking ??= ask(KINDS[kind], held.has(kind)).then((key) => {
    asking = null;
    if (key) held.set(kind, key);
    else held.delete(kind);
    declined ||= kind === "api" && !key;
    return Boolean(key);
  });
  return asking;
}

function ask({ name, why }, refused) {
  return new Promise((done) => {
    const input = /** @type {HTMLInputElement} */ (el("input", { id: "key", type: "password", autocomplete: "off", required: true, spellcheck: "false" }));
    // One that does not fit would keep every call of the page from being sent.
    const refuse = (/** @type {Event} */ submit) => {
      if (FITS.test(input.value.trim())) return;
      submit.preventDefault();
      input.setCustomValidity("A key has no such letters: it is made of A to Z, a to z, digits and signs like - and _, without a blank.");
      input.reportValidity();
    };
    input.addEventListener("input", () => input.setCustomValidity(""));
    /** @type {any} a dialog */
    const dialog = el(
      "dialog", { "aria-labelledby": "key-name" },
      el(
        "form", { method: "dialog", onsubmit: refuse },
        el("h2", { id: "key-name" }, name),
        el("p.soft", {}, refused ? "That key was refused. " : "", why, " It stays in this page and is forgotten when you leave it."),
        el("label", { for: "key" }, name),
        input,
        el("div.buttons", {}, el("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"), el("button.strong", { type: "submit", value: "given" }, "Use this key")),
      ),
    );
    dialog.addEventListener("close", () => {
      const key = dialog.returnValue === "given" ? input.value.trim() : "";
      dialog.remove();
      done(key);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
