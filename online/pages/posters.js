// Generated posters: an item's labels (a film's genres) determine colours and a sign, the id the composition, so that an
// item always looks the same and neighbours look different. An item's own image, where it may be shown, lies over it.

import { svg } from "./dom.js";
import { genreShown, hue } from "./genres.js";
import { imageOf } from "./images.js";
import { labelsOf } from "./schema.js";

// Signs, drawn in 24 by 24; a hole is made by the even-odd rule.
const BOLT = "M14 1 4 14h6l-2 9 12-14h-7z";
const PEAKS = "M1 21 9 6l4 7 3-5 7 13zM18 3a2 2 0 1 1 0 4 2 2 0 0 1 0-4z";
const DROPS = "M7 3a5 5 0 1 1 0 10A5 5 0 0 1 7 3zM17 6a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM11 14a4 4 0 1 1 0 8 4 4 0 0 1 0-8z";
const BALLOON = "M12 1a7 7 0 0 1 7 7c0 4-4 8-6 8l1 2h-4l1-2c-2 0-6-4-6-8a7 7 0 0 1 7-7zM11.500 18h1v5h-1z";
const SMILE = "M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22zM8 7a1.500 2 0 1 1 0 4 1.500 2 0 0 1 0-4zM16 7a1.500 2 0 1 1 0 4 1.500 2 0 0 1 0-4zM5.500 13.500h13c-.5 4-3.500 6-6.500 6s-6-2-6.500-6z";
const CROSSHAIR = "M11 0h2v3.100A9 9 0 0 1 20.900 11H24v2h-3.100A9 9 0 0 1 13 20.900V24h-2v-3.100A9 9 0 0 1 3.100 13H0v-2h3.100A9 9 0 0 1 11 3.100zM12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM12 9.500a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5z";
const FINDER = "M1 4h6v2H3v4H1zM17 4h6v6h-2V6h-4zM1 14h2v4h4v2H1zM21 14h2v6h-6v-2h4zM12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z";
const MASK = "M3 3c6 2.500 12 2.500 18 0v8c0 6-5 10-9 12-4-2-9-6-9-12zM6 9c1.500-1.500 3.500-1.500 5 0-1.500 1.200-3.500 1.200-5 0zM13 9c1.500-1.500 3.500-1.500 5 0-1.500 1.200-3.500 1.200-5 0zM8 18c1-3 7-3 8 0-2.500-1.300-5.500-1.300-8 0z";
const SPARK = "M12 0c1 8 4 11 12 12-8 1-11 4-12 12-1-8-4-11-12-12 8-1 11-4 12-12z";
const BLINDS = "M1 2h22v2.200H1zM1 7h22v2.200H1zM1 12h22v2.200H1zM1 17h22v2.200H1zM1 22h22v1.500H1z";
const TEETH = "M0 2h24l-1.500 12L19 6l-3 12-4-12-4 12L5 6 1.500 14z";
const NOTE = "M9 2h12v4h-9v12.500A4.500 4.500 0 1 1 9 14.300z";
const KEYHOLE = "M12 1a6.500 6.500 0 0 1 3.500 12L18 23H6l2.500-10A6.500 6.500 0 0 1 12 1z";
const HEART = "M12 22C4 15.500 1 12 1 7.500A5.700 5.700 0 0 1 12 5a5.700 5.700 0 0 1 11 2.500C23 12 20 15.500 12 22z";
const PLANET = "M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM23.300 7.900A12 3.600-20 1 1 .7 16.100 12 3.600-20 1 1 23.300 7.900zM21.800 8.400A10.400 2.200-20 1 1 2.200 15.600 10.400 2.200-20 1 1 21.800 8.400z";
const EYE = "M0 12C5 3.500 19 3.500 24 12 19 20.500 5 20.500 0 12zM12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM12 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4z";
const STAR = "M12 1l3.200 7 7.600.9-5.700 5.200 1.600 7.500L12 17.800l-6.700 3.800 1.600-7.500L1.200 8.900 8.800 8z";
const MESA = "M12 2a6 6 0 0 1 6 6H6a6 6 0 0 1 6-6zM0 10h24v1.500H0zM2 13.500h8l2 9.500H0zM15 13.500h5l3 9.500H13z";
const SCREEN = "M1 5c7-2 15-2 22 0v14c-7-2-15-2-22 0zM4 8v7c5-1 11-1 16 0V8c-5-1-11-1-16 0z";

const SIGNS = {
  "Action": BOLT, "Adventure": PEAKS, "Animation": DROPS, "Children": BALLOON, "Children's": BALLOON, "Comedy": SMILE, "Crime": CROSSHAIR,
  "Documentary": FINDER, "Drama": MASK, "Fantasy": SPARK, "Film-Noir": BLINDS, "Horror": TEETH, "IMAX": SCREEN, "Musical": NOTE,
  "Mystery": KEYHOLE, "Romance": HEART, "Sci-Fi": PLANET, "Thriller": EYE, "War": STAR, "Western": MESA,
};

/** Of digits the last nine; of another id its FNV-1a hash. */
function seedOf(/** @type {string} */ id) {
  if (/^\d+$/.test(id)) return Number(id.slice(-9));
  let hash = 0x811c9dc5;
  for (const letter of id) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0) % 1e9;
}

/** Numbers from 0 up to 1, the same for the same id. */
function dice(id) {
  let state = seedOf(String(id)) * 2_654_435_761 + 1;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e3779b9;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

const circle = (kind, cx, cy, r) => svg("circle", { class: kind, cx, cy, r });
const path = (kind, d) => svg("path", { class: kind, d });

// Compositions, 120 wide and 160 high.
const SCENES = [
  function sun(roll) {
    const [x, y] = [30 + roll() * 60, 35 + roll() * 40];
    return [circle("far", x, y, 62), circle("mid", x + 6, y + 4, 40), circle("thin", x, y, 74), circle("thin", x, y, 88)];
  },
  function hills(roll) {
    const ridge = (kind, base) => {
      const at = (n) => base - 22 + roll() * 34;
      return path(kind, `M-90 ${base - 8} Q -40 ${at()} 0 ${base - 4} Q 22 ${at()} 45 ${base} T 90 ${at()} T 140 ${at()} V170 H-90Z`);
    };
    return [circle("mid", 25 + roll() * 70, 40, 17 + roll() * 12), ridge("far", 82), ridge("near", 108), ridge("mid", 138)];
  },
  function beams(roll) {
    const lean = 40 + roll() * 60;
    const beam = (kind, x, width) => path(kind, `M${x} -5 h${width} l${-lean} 175 h${-width}z`);
    return [beam("far", 20 + roll() * 30, 46), beam("mid", 84 + roll() * 20, 26), beam("near", 136, 30), beam("mid", 170, 12)];
  },
  function waves(roll) {
    const corner = roll() < 0.5 ? 0 : 120;
    return [circle("near", corner, 160, 128), circle("far", corner, 160, 98), circle("mid", corner, 160, 66), circle("near", corner, 160, 36)];
  },
  function blocks(roll) {
    const split = 34 + roll() * 40;
    return [path("far", `M-90 ${split + 20} L140 ${split + 44 - roll() * 88} V170 H-90Z`), path("mid", `M140 -5 L${60 + roll() * 40} 170 H140Z`), circle("thin", 60, 80, 58)];
  },
];

/**
 * Give `face` its colours and its picture, a broad one if `broad`; gives the genre that it names and signs, if any: `genre`, if it is one.
 * @param {HTMLElement} face
 * @param {any} item
 * @param {{broad?: boolean, genre?: string | null}} how
 */
export function paint(face, item, { broad = false, genre = null } = {}) {
  const genres = labelsOf(item);
  const roll = dice(item.item_id);
  const shown = genreShown(genres);
  const named = genre !== null && genres.includes(genre) ? genre : shown;
  const other = genres.find((genre) => genre !== shown);
  const first = shown === undefined ? 260 : hue(shown);
  // The other genre's hue, brought near enough that the two go together.
  const apart = other === undefined ? 40 : ((hue(other) - first + 540) % 360) - 180;
  face.style.setProperty("--hue", String(first));
  face.style.setProperty("--hue-2", String(first + Math.max(-70, Math.min(70, apart)) + (Math.abs(apart) < 14 ? 34 : 0)));
  face.classList.toggle("plain", shown === undefined);
  const scene = SCENES[Math.floor(roll() * SCENES.length)](roll);
  const size = 3.6 + roll() * 1.1;
  const spot = `translate(${62 - size * 12 + roll() * 44} ${24 + roll() * 26}) rotate(${Math.round(roll() * 24 - 12)} ${size * 12} ${size * 12}) scale(${size})`;
  const image = imageOf(item);
  face.prepend(
    svg(
      "svg", { class: "art", viewBox: broad ? "-80 8 210 112" : "0 0 120 160", preserveAspectRatio: "xMidYMid slice", "aria-hidden": "true", focusable: "false" },
      ...scene, SIGNS[named] ? svg("path", { class: "sign", d: SIGNS[named], transform: spot }) : null,
    ),
    ...(image ? [image] : []),
  );
  return named;
}
