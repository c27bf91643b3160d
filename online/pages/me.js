// Whom a visitor plays: a user's id, kept in this browser, so that a rating on any page is that user's.

const KEY = "martlet.user";
const FIRST = "6";
let chosen = FIRST; // where storage is closed to us

/** An id as text, or null for what is none: digits can be more than a JavaScript number holds, and an id may be any printable string,
 *  one that begins or ends with a blank among them. */
export function readId(/** @type {string | null | undefined} */ text) {
  const id = (text ?? "").normalize("NFC");
  return [...id].length >= 1 && [...id].length <= 128 && !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(id) ? id : null;
}

export function me() {
  try {
    return readId(localStorage.getItem(KEY)) ?? FIRST;
  } catch {
    return chosen;
  }
}

/** Whom this page plays: the user whose list led here, if one did, whoever another tab plays by now. */
export const player = () => readId(new URLSearchParams(location.search).get("user")) ?? me();

export function becomeUser(/** @type {string} */ id) {
  chosen = id;
  try {
    localStorage.setItem(KEY, id);
  } catch {
    // Then it holds for this page.
  }
}

/** Who types an id means none of the blanks around it. */
export function typedInto(/** @type {HTMLInputElement} */ input) {
  input.addEventListener("change", () => {
    input.value = input.value.trim();
  });
}

export const userPage = (/** @type {string} */ id, /** @type {Record<string, string>} */ more = {}) => `/user.html?${new URLSearchParams({ id, ...more })}`;
