for (const image of document.querySelectorAll("img[data-photo]")) image.src = photos[+image.dataset.photo];

const cards = [...document.querySelectorAll("article.card")];
const filters = [...document.querySelectorAll("[data-filter]")];
const count = document.querySelector("[data-count]");
const empty = document.querySelector(".empty");

function filter() {
  const wanted = Object.fromEntries(filters.map((field) => [field.dataset.filter, field.value.trim().toLowerCase()]));
  let shown = 0;
  for (const card of cards) {
    const same = ["task", "source", "split"].every((name) => !wanted[name] || card.dataset[name].toLowerCase() === wanted[name]);
    card.hidden = !(same && (!wanted.words || card.textContent.toLowerCase().includes(wanted.words)));
    shown += !card.hidden;
  }
  count.textContent = `${shown} shown`;
  empty.hidden = shown > 0;
}
for (const field of filters) field.addEventListener("input", filter);
document.querySelector("form.filters").addEventListener("submit", (event) => event.preventDefault());
document.querySelector("[data-toggle=bare]").addEventListener("change", (event) => document.body.classList.toggle("bare", event.target.checked));

// What carries the same key belongs together: a phrase has the keys of all its references.
function light(card, keys) {
  card.classList.toggle("lit", keys.length > 0);
  for (const part of card.querySelectorAll("[data-key]"))
    part.classList.toggle("on", part.dataset.key.split(" ").some((key) => key && keys.includes(key)));
}
for (const card of cards) {
  card.addEventListener("pointerover", (event) => {
    const part = event.target.closest("[data-key]");
    light(card, part ? part.dataset.key.split(" ").filter(Boolean) : []);
  });
  card.addEventListener("pointerleave", () => light(card, []));
}
