// The body beside the words: which pose is shown, before and after, how far it moved, its recording.

import { $, icon, make } from "./elements.js";
import { address, bytes, read } from "./server.js";

const KINDS = [["npz", "numbers (SMPL)"], ["json", "readable numbers"], ["bvh", "motion capture"], ["glb", "3D body"], ["png", "picture"]];
const MOTION_KINDS = [["npz", "numbers (SMPL)"], ["bvh", "motion capture"], ["glb", "3D animation"], ["mp4", "film"]];
const LISTED = 4;

export class Stage {
  /** `take(pose, seconds)` and `use(pose)` are called for what the visitor chooses here. */
  constructor({ take, use }) {
    this.shown = null;
    this.before = null;
    this.side = "after";
    this.current = null;
    this.read = new Map();
    $("#use").addEventListener("click", () => use(this.shown));
    $("#home-view").addEventListener("click", () => this.viewer?.home());
    $("#take").addEventListener("click", () => take(this.shown, Number($("#moment").value)));
    $("#colour").addEventListener("change", () => this.#draw());
    $("#sides").addEventListener("click", ({ target }) => target.dataset.side && this.#turnTo(target.dataset.side));
    $("#play").addEventListener("click", () => this.#play(!this.viewer?.playing));
    $("#moment").addEventListener("input", ({ target }) => {
      this.#play(false);
      this.viewer?.seek(Number(target.value));
    });
    $("#view").addEventListener("keydown", (event) => {
      if (event.key !== " " || !this.shown?.seconds) return;
      event.preventDefault();
      this.#play(!this.viewer.playing);
    });
    document.addEventListener("click", ({ target }) => {
      if (!target.closest("#keep") || target.closest("#downloads a")) $("#keep").open = false;
    });
  }

  /** Shows a pose; with `before` also what it was made from, or is compared with. */
  async show(pose, { before = null, side = "after", colour = false } = {}) {
    this.shown = pose;
    this.before = before;
    this.side = before ? side : "after";
    this.bodies = null;
    $("#colour").checked = Boolean(before && colour);
    delete $("#stage").dataset.empty;
    $("#moment").max = pose.seconds ?? 1; // before the body is there: it can be moved at once
    $("#moment").value = pose.at;
    this.#name();
    await this.#draw();
  }

  /** Nothing is shown, as at the beginning. */
  clear() {
    this.shown = this.before = null;
    this.read.clear();
    $("#stage").dataset.empty = "";
    $("#view").setAttribute("aria-label", "No pose yet");
  }

  setCurrent(id) {
    this.current = id;
    this.#name();
  }

  #name() {
    if (!this.shown) return;
    const { number, origin, id, seconds } = this.shown;
    const other = this.before && this.before.id !== this.shown.before;
    $("#pose-name").textContent = other ? `Pose ${this.before.number} and pose ${number}` : `Pose ${number}`;
    $("#pose-origin").textContent = other ? "" : origin;
    $("#view").setAttribute("aria-label", `Pose ${number}: ${origin}. Arrow keys turn it.`);
    $("#use").hidden = !this.current || this.current === id || Boolean(other);
    $("#sides").hidden = $("#colour-label").hidden = !this.before;
    for (const button of $("#sides").children) button.setAttribute("aria-pressed", button.dataset.side === this.side);
    $("#clock").hidden = !seconds || this.before !== null;
    this.#downloads();
  }

  #downloads() {
    const { id, seconds } = this.shown;
    const links = (kinds, motion) => kinds.map(([kind, what]) =>
      make("a", { href: address.download(id, kind, motion), download: "" }, `.${kind}`, make("span", {}, what)));
    const motion = seconds ? [make("b", {}, "The whole recording"), ...links(MOTION_KINDS, true)] : [];
    $("#downloads").replaceChildren(make("b", {}, `Pose ${this.shown.number}`), ...links(KINDS, false), ...motion);
  }

  async #draw() {
    const run = (this.run = Symbol());
    const colour = $("#colour").checked;
    try {
      this.viewer ??= await this.#viewer();
      const bodies = await this.#bodies(colour);
      if (this.run !== run) return;
      $("#trouble").hidden = true;
      this.bodies = bodies;
      this.#place();
      await this.#list(colour, run);
    } catch (error) {
      if (this.run !== run) return;
      $("#trouble").textContent = error.message;
      $("#trouble").hidden = false;
    }
  }

  async #viewer() {
    const { Viewer } = await import("./viewer.js");
    let viewer;
    try {
      viewer = new Viewer($("#view"));
    } catch {
      throw new Error("This browser draws nothing in 3D (WebGL is switched off). Pictures and downloads work.");
    }
    viewer.onTime = (seconds) => {
      $("#moment").value = seconds;
      $("#time").textContent = `${seconds.toFixed(2)} s`;
    };
    viewer.onDrawn = () => this.#label();
    return viewer;
  }

  /** Returns the bodies that are needed: what is shown, and what was before. */
  async #bodies(colour) {
    const { id, seconds } = this.shown;
    if (!this.before) return { after: await this.#body(address.body(id, { motion: Boolean(seconds) })) };
    const movedFrom = colour ? this.before.id : undefined;
    const [before, after] = await Promise.all([
      this.#body(address.body(this.before.id)), this.#body(address.body(id, { movedFrom })),
    ]);
    return { before, after };
  }

  async #body(path) {
    if (!this.read.has(path)) {
      if (this.read.size > 24) this.read.clear();
      this.read.set(path, await bytes(path));
    }
    return this.viewer.read(this.read.get(path).slice(0));
  }

  #place() {
    const { before, after } = this.bodies;
    this.viewer.morphing = null;
    if (before && this.side === "both") this.viewer.show([before, after]);
    else this.viewer.show([after]);
    if (before && this.side === "before") this.viewer.mix(after, before, before, 1);
    if (after.clip) this.viewer.seek(Number($("#moment").value));
    this.#play(false);
  }

  #turnTo(side) {
    const from = this.side;
    this.side = side;
    this.#name();
    if (!this.bodies?.before) return;
    const { before, after } = this.bodies;
    if (side === "both" || from === "both") {
      this.viewer.mix(after, after, after, 1);
      this.#place();
    } else if (side === "before") this.viewer.morph(after, after, before);
    else this.viewer.morph(after, before, after);
  }

  async #list(colour, run) {
    $("#moved").hidden = true;
    if (!colour || !this.before) return;
    const { joints } = await read(address.moved(this.shown.id, this.before.id));
    if (this.run !== run) return;
    $("#moved-joints").replaceChildren(...joints.slice(0, LISTED).map(([joint, cm]) =>
      make("li", {}, make("b", {}, joint), `${cm} cm`)));
    $("#moved").hidden = false;
  }

  #label() {
    const two = this.viewer.bodies.length === 2;
    const names = two ? [`pose ${this.before.number}`, `pose ${this.shown.number}`] : [];
    $("#labels").replaceChildren(...names.map((name, i) => {
      const label = make("span", {}, name);
      const [x, y] = this.viewer.above(this.viewer.bodies[i]);
      label.style.left = `${x}px`;
      label.style.top = `${y}px`;
      return label;
    }));
  }

  #play(on) {
    this.viewer?.play(on);
    $("#play").replaceChildren(icon(on ? "pause" : "play"));
    $("#play").setAttribute("aria-label", on ? "Pause" : "Play");
  }
}
