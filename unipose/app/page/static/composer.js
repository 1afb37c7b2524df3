// Where one writes: a line that grows, files that are brought or dropped, lines that were sent.

import { $ } from "./elements.js";

export class Composer {
  constructor({ send, stop, bring, browse }) {
    this.line = $("#line");
    this.sent = [];
    this.at = 0;
    $("#composer").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.line.value.trim();
      if (!text || this.busy) return;
      this.sent.push(text);
      this.at = this.sent.length;
      this.#write("");
      send(text);
    });
    this.line.addEventListener("input", () => this.#grow());
    this.line.addEventListener("keydown", (event) => this.#key(event));
    $("#stop").addEventListener("click", stop);
    $("#bring").addEventListener("click", () => $("#files").click());
    $("#browse").addEventListener("click", browse);
    $("#files").addEventListener("change", ({ target }) => {
      if (target.files.length) bring([...target.files]);
      target.value = "";
    });
    this.#dropping(bring);
    document.addEventListener("keydown", (event) => {
      const writing = event.target.closest?.("input, textarea, dialog");
      if (event.key === "Escape" && this.busy) stop();
      if (event.key === "/" && !writing) {
        event.preventDefault();
        this.line.focus();
      }
    });
    document.addEventListener("paste", ({ clipboardData }) => {
      if (clipboardData.files.length) bring([...clipboardData.files]);
    });
    this.setBusy(false);
  }

  setBusy(busy) {
    this.busy = busy;
    $("#send").hidden = busy;
    $("#stop").hidden = !busy;
    this.#grow();
  }

  /** Lines of a conversation that is shown again, for the arrow keys. */
  remember(lines) {
    this.sent = lines;
    this.at = lines.length;
  }

  #key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      $("#composer").requestSubmit();
      return;
    }
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const untouched = this.line.value === (this.sent[this.at] ?? "");
    const next = this.at + step;
    if (!step || !untouched || next < 0 || next > this.sent.length) return;
    event.preventDefault();
    this.at = next;
    this.#write(this.sent[next] ?? "");
  }

  #write(text) {
    this.line.value = text;
    this.#grow();
  }

  #grow() {
    this.line.style.height = "auto";
    this.line.style.height = `${Math.min(this.line.scrollHeight, 168)}px`;
    $("#send").disabled = !this.line.value.trim();
  }

  #dropping(bring) {
    let inside = 0;
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    const show = (by) => {
      inside = Math.max(0, inside + by);
      $("#drop").hidden = inside === 0;
    };
    document.addEventListener("dragenter", (event) => hasFiles(event) && show(1));
    document.addEventListener("dragleave", (event) => hasFiles(event) && show(-1));
    document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      show(-inside);
      bring([...event.dataTransfer.files]);
    });
  }
}
