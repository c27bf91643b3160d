// Colours of genres. A tile has no poster: its genres give it the colour, its id the shape, so a film always looks the same.

// Hues on the OKLCH wheel; all at one lightness in the style sheet, so that white text is readable on each.
const HUES = {
  "Action": 30, "Adventure": 75, "Animation": 100, "Children": 120, "Children's": 120, "Comedy": 88, "Crime": 12, "Documentary": 195,
  "Drama": 265, "Fantasy": 310, "Film-Noir": 285, "Horror": 20, "IMAX": 215, "Musical": 340, "Mystery": 290, "Romance": 0,
  "Sci-Fi": 230, "Thriller": 160, "War": 135, "Western": 55,
};

/** A genre that is not of MovieLens gets a hue of its own, out of its name. */
export function hue(genre) {
  let sum = 0;
  for (const letter of genre) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return HUES[genre] ?? sum;
}

/** Set on `face` the custom properties that style its picture. */
export function paint(face, itemId, genres) {
  // The last digits of the id, spread: neighbours in the catalogue should not look alike.
  const seed = (Number(String(itemId).slice(-6)) * 7919) % 9973;
  const first = genres.length ? hue(genres[0]) : 260;
  const values = {
    "--hue": first,
    "--hue-2": genres.length > 1 ? hue(genres[1]) : first + 24,
    "--chroma": genres.length ? 0.11 : 0.02,
    "--x": `${55 + (seed % 50)}%`,
    "--y": `${(seed % 7) * 16}%`,
    "--angle": `${100 + (seed % 11) * 8}deg`,
  };
  for (const [name, value] of Object.entries(values)) face.style.setProperty(name, value);
}
