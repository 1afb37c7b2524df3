// Poses that have a name: a few to begin with, and all of them in a dialog.

import { $, make } from "./elements.js";
import { address, read } from "./server.js";

const FIRST = ["standing", "yoga", "exercise", "sports"];

export class Gallery {
  /** `pick(name)` is called with the pose that was chosen. */
  constructor(pick) {
    this.pick = pick;
    this.dialog = $("#gallery");
    this.family = "all";
    $("#leave").addEventListener("click", () => this.dialog.close());
    $("#search").addEventListener("input", () => this.#list());
    this.dialog.addEventListener("click", ({ target }) => target === this.dialog && this.dialog.close());
  }

  async open() {
    await this.#load();
    this.dialog.showModal();
    $("#search").focus();
    this.#list();
  }

  async #load() {
    if (this.families) return;
    this.families = (await read("gallery")).families;
    const count = Object.values(this.families).flat().length;
    $("#search").placeholder = `Search ${count} poses`;
    const buttons = ["all", ...Object.keys(this.families)].map((family) => {
      const button = make("button", { type: "button" }, family);
      button.addEventListener("click", () => {
        this.family = family;
        this.#list();
      });
      return button;
    });
    $("#families").replaceChildren(...buttons);
  }

  #list() {
    const words = $("#search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const names = this.family === "all" ? Object.values(this.families).flat() : this.families[this.family];
    const found = names.filter((name) => words.every((word) => name.includes(word)));
    for (const button of $("#families").children) button.setAttribute("aria-pressed", button.textContent === this.family);
    $("#poses").replaceChildren(...found.map((name) => this.tile(name)));
    $("#poses").scrollTop = 0;
    this.dialog.querySelector(".none").hidden = found.length > 0;
  }

  /** A picture of a pose with its name; a click picks it. */
  tile(name) {
    const picture = make("img", { loading: "lazy", alt: "", width: 100, height: 133 });
    picture.src = address.named(name);
    const button = make("button", { type: "button" }, picture, name);
    button.addEventListener("click", () => {
      this.dialog.close();
      this.pick(name);
    });
    return button;
  }
}
