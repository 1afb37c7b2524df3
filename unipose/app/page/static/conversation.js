// The conversation: lines, answers while they are made, and what came with them.

import { $, icon, make } from "./elements.js";
import { address } from "./server.js";

const TABLE = / {2,}\S/; // text that was set in columns

export class Log {
  /** `look(entry, pose)` is called when somebody wants to see a pose of an entry. */
  constructor(look) {
    this.look = look;
    this.list = $("#log");
    this.scroll = $("#scroll");
    this.atEnd = true;
    this.scroll.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = this.scroll;
      this.atEnd = scrollHeight - scrollTop - clientHeight < 60;
    });
    this.list.addEventListener("load", () => this.#toEnd(), true); // pictures, which come later
  }

  clear() {
    this.list.replaceChildren();
  }

  /** Adds a line or an answer that is complete. */
  add(entry, poses) {
    this.#following(() => this.list.append(this.#entry(entry, poses)), entry.who === "you");
  }

  /** Adds an answer that is being made; `text`, `progress` and `end` go on with it. */
  begin() {
    const words = make("p.text");
    const waiting = make("p.waiting", {}, "…");
    const element = make("li.entry.unipose", { "aria-busy": "true" }, waiting);
    this.#following(() => this.list.append(element), true);
    const say = (text) => this.#following(() => waiting.replaceChildren(text));
    return {
      wait: say,
      text: (piece) => this.#following(() => {
        if (waiting.isConnected) waiting.replaceWith(words);
        words.append(piece);
      }),
      progress: (done, of, what) => {
        const bar = waiting.querySelector("progress") ?? make("progress");
        bar.max = of ?? 1;
        if (of) bar.value = done;
        say("");
        waiting.append(bar, of ? `${done} of ${of} ${what}` : `${done} ${what}`);
      },
      end: (entry, poses) => this.#following(() => {
        if (entry) element.replaceWith(this.#entry(entry, poses));
        else element.remove();
      }),
    };
  }

  /** Marks the cards of the pose that is shown. */
  mark(id) {
    for (const card of this.list.querySelectorAll(".card")) card.setAttribute("aria-pressed", card.dataset.pose === id);
  }

  #entry(entry, poses) {
    const failed = entry.failed ? ".failed" : "";
    const element = make(`li.entry.${entry.who === "you" ? "you" : "unipose"}${failed}`);
    for (const id of entry.pictures) {
      element.append(make("img.picture", { src: address.file(id), alt: entry.opened || "What was seen, and the body that was read" }));
    }
    if (entry.opened) element.append(make("p.text.brought", {}, icon(/\.\w+$/.test(entry.opened) ? "file" : "figure"), entry.opened));
    if (entry.text) element.append(make(TABLE.test(entry.text) ? "p.text.table" : "p.text", {}, entry.text));
    if (entry.stopped) element.append(make("p.stopped", {}, entry.text ? "Stopped here." : "Stopped."));
    const cards = entry.poses.filter((id) => poses[id]).map((id) => this.#card(entry, poses[id]));
    if (entry.compared.length === 2 && !cards.length && entry.compared.every((id) => poses[id])) {
      cards.push(this.#comparison(entry, ...entry.compared.map((id) => poses[id])));
    }
    if (cards.length) element.append(make("div.cards", {}, ...cards));
    for (const [id, name] of entry.files) {
      element.append(make("a.file", { href: address.file(id), download: name }, icon("keep"), name));
    }
    return element;
  }

  #card(entry, pose) {
    const picture = make("img", { src: address.picture(pose.id), alt: "", width: 54, height: 68 });
    const words = make("div", {}, make("strong", {}, `Pose ${pose.number}`), make("span", {}, pose.origin));
    const card = make("button.card", { type: "button", "data-pose": pose.id, "aria-pressed": "false" }, picture, words);
    card.addEventListener("click", () => this.look(entry, pose.id));
    return card;
  }

  #comparison(entry, before, after) {
    const pictures = [before, after].map((pose) => make("img", { src: address.picture(pose.id), alt: "", width: 54, height: 68 }));
    const words = make("div", {}, make("strong", {}, `Pose ${before.number} and pose ${after.number}`), make("span", {}, "side by side, and what moved"));
    const card = make("button.card", { type: "button", "data-pose": `${before.id} ${after.id}`, "aria-pressed": "false" }, ...pictures, words);
    card.addEventListener("click", () => this.look(entry, after.id));
    return card;
  }

  /** Changes the list and stays at its end, if that was where one was. */
  #following(change, always = false) {
    this.atEnd ||= always;
    change();
    this.#toEnd();
  }

  #toEnd() {
    if (this.atEnd) this.scroll.scrollTop = this.scroll.scrollHeight;
  }
}
