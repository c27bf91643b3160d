// The first page: the models that rank now, each a link. Without an answer the page is whole all the same.

import { getModels } from "./api.js";
import { el } from "./dom.js";

const list = document.getElementById("models");
const line = document.getElementById("models-line");
try {
  const { models } = await getModels();
  list.replaceChildren(
    ...models.map(({ name, version }) =>
      el("li", {}, el("a.pill", { href: `/user.html?${new URLSearchParams({ id: 6, model: name })}` }, name, el("small", {}, `version ${version}`))),
    ),
  );
  line.textContent = models.length ? "User 6, ranked by:" : "No model ranks yet: ./martlet train";
} catch (fault) {
  line.textContent = fault.message;
}
