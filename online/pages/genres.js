// Colours of genres: hues on the OKLCH wheel. Lightness is the style sheet's, so that text is readable on each.

// The muddy yellows from 80 to 115 are left out: dark enough for white letters they are no colour that one likes.
/** @type {Record<string, number>} */
const HUES = {
  "Action": 27, "Adventure": 150, "Animation": 340, "Children": 200, "Children's": 200, "Comedy": 58, "Crime": 250, "Documentary": 222,
  "Drama": 262, "Fantasy": 308, "Film-Noir": 275, "Horror": 12, "IMAX": 215, "Musical": 325, "Mystery": 292, "Romance": 2,
  "Sci-Fi": 282, "Thriller": 178, "War": 135, "Western": 42,
};

/** A genre that is not of MovieLens gets a hue of its own, out of its name. */
export function hue(/** @type {string} */ genre) {
  let sum = 0;
  for (const letter of genre) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  return HUES[genre] ?? sum;
}

const COMMON = new Set(["Drama", "Comedy", "Action"]);

/** The genre that a film is shown by: the catalogue's first that is not on every other film. */
export const genreShown = (/** @type {string[]} */ genres) => genres.find((genre) => !COMMON.has(genre)) ?? genres[0];
