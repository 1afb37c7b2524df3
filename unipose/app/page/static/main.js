// The page: brings conversation, body, gallery and composer together.

import { Composer } from "./composer.js";
import { Log } from "./conversation.js";
import { $, make, note } from "./elements.js";
import { Gallery } from "./gallery.js";
import { bring, events, post, read, ServerProblem } from "./server.js";
import { Stage } from "./stage.js";

const STARTS = [
  "Make a pose of someone squatting with both arms stretched forward",
  "Make a pose of someone who raises the left arm",
  "What can I ask?",
];
const START_POSES = ["tree pose on the left leg", "warrior two, left leg bent", "sumo squat", "downward dog", "sitting cross-legged", "side lunge to the left"];
const HINTS = ["Describe the pose", "Which knee is bent more?", "Raise the left arm", "Is the weight on the left foot?", "Mirror it", "Where is the right hand?"];
const AFTER_CHANGE = ["What changed?", "Undo", "Describe the pose", "Turn it around", "Which hand is higher?"];
const IN_RECORDING = ["When is the left foot highest?", "Describe the pose", "Which knee is bent more?", "Mirror it"];
const NO_POSE = ["What can I ask?"];

const poses = {}; // id -> what is known of it
const log = new Log((entry, pose) => look(entry, pose));
const stage = new Stage({
  take: (pose, seconds) => orNote(async () => {
    finish(log.begin(), await post(`poses/${encodeURIComponent(pose.id)}/moment`, { seconds }));
  }),
  use: (pose) => orNote(async () => {
    await post(`poses/${encodeURIComponent(pose.id)}/choose`);
    stage.setCurrent(pose.id);
    note(`Pose ${pose.number} is the one that is talked about now.`);
  }),
});
const gallery = new Gallery((name) => answer("open", { name }));
const composer = new Composer({
  send: (text) => answer("say", { text }),
  stop: () => post("stop").catch(() => {}),
  bring: bringAll,
  browse: () => orNote(() => gallery.open()),
});

/** Has a line answered, and shows what happens meanwhile. */
async function answer(path, content) {
  if (composer.busy) return note("One thing at a time: stop the answer first, or wait.");
  composer.setBusy(true);
  $("#welcome").hidden = true;
  let making = null;
  let ended = false;
  try {
    for await (const event of events(path, content)) {
      if (event.kind === "entry") {
        log.add(event.entry, poses);
        making = log.begin();
        if (path === "open" && event.entry.pictures.length) making.wait("Looking for the person …");
      } else if (event.kind === "text") making?.text(event.text);
      else if (event.kind === "progress") making?.progress(event.done, event.of, event.what);
      else if (event.kind === "answer") {
        ended = true;
        finish(making, event);
      } else if (event.kind === "error") throw new ServerProblem(event.text);
    }
    if (!ended) throw new ServerProblem("The answer broke off.");
  } catch (error) {
    making?.end(null);
    trouble(error);
  } finally {
    composer.setBusy(false);
      }
}

/** Puts a complete answer in its place, and its pose beside it. */
function finish(making, event) {
  Object.assign(poses, event.poses);
  making.end(event.entry, poses);
  const moved = event.current !== stage.current; // to a new pose, or back and forth
  stage.setCurrent(event.current);
  $("#announce").textContent = event.entry.text;
  const [shown] = event.entry.poses.slice(-1);
  if (shown || event.entry.compared.length) look(event.entry, shown ?? event.entry.compared[1]);
  else if (moved && event.current) look(event.entry, event.current);
  hint(event.entry);
}

/** Shows a pose of an entry as the entry is about it: alone, with its before, or compared. */
function look(entry, id) {
  const pose = poses[id];
  if (!pose) return;
  const [before, after] = entry.compared;
  if (!entry.poses.includes(id) && after === id) {
    log.mark(`${before} ${after}`);
    stage.show(poses[after], { before: poses[before], side: "both", colour: true });
    return;
  }
  log.mark(id);
  stage.show(pose, { before: pose.before ? poses[pose.before] : null });
}

async function bringAll(files) {
  if (composer.busy) return note("One thing at a time: stop the answer first, or wait.");
  composer.setBusy(true);
  const names = [];
  try {
    for (const file of files) names.push((await bring(file)).name);
  } catch (error) {
    trouble(error);
  } finally {
    composer.setBusy(false);
  }
  // an .asf is the skeleton of the .amc beside it and nothing by itself
  const shown = names.filter((name) => !/\.asf$/i.test(name));
  if (names.length && !shown.length) note("An .asf is a skeleton; bring its .amc with it.");
  for (const name of shown) await answer("open", { name });
}

function hint(entry = null) {
  const pose = entry?.poses.length ? poses[entry.poses.at(-1)] : stage.shown;
  let lines = HINTS;
  if (!Object.keys(poses).length) lines = NO_POSE;
  else if (pose?.before) lines = AFTER_CHANGE;
  else if (pose?.seconds) lines = IN_RECORDING;
  $("#hints").replaceChildren(...(Object.keys(poses).length || entry ? lines : []).map((line) => {
    const button = make("button.chip", { type: "button" }, line);
    button.addEventListener("click", () => answer("say", { text: line }));
    return button;
  }));
}

function trouble(error) {
  const text = error instanceof ServerProblem ? error.message : "Something went wrong in this page.";
  log.add({ who: "unipose", text, poses: [], compared: [], pictures: [], files: [], failed: true }, poses);
  if (!(error instanceof ServerProblem)) console.error(error);
}

async function orNote(work) {
  try {
    await work();
  } catch (error) {
    note(error.message);
  }
}

/** Shows a whole conversation, as it is kept on the server. */
function restore(kept) {
  for (const id of Object.keys(poses)) delete poses[id];
  Object.assign(poses, kept.poses);
  log.clear();
  stage.clear();
  stage.setCurrent(kept.current);
  for (const entry of kept.entries) log.add(entry, poses);
  composer.remember(kept.entries.filter(({ who, text }) => who === "you" && text).map(({ text }) => text));
  $("#welcome").hidden = kept.entries.length > 0;
  const last = kept.entries.findLast(({ poses: ids, compared }) => ids.length || compared.length);
  if (last) look(last, last.poses.at(-1) ?? last.compared[1]);
  hint(kept.entries.at(-1));
  // an answer that the page was loaded again in ends in a moment, with what was said until then
  if (kept.busy) setTimeout(() => orNote(async () => composer.busy || restore(await read("conversation"))), 1200);
}

function chooseTheme() {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark"
    || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("unipose-theme", document.documentElement.dataset.theme);
  } catch { /* it holds for this visit */ }
}

$("#theme").addEventListener("click", chooseTheme);
$("#new").addEventListener("click", () => orNote(async () => restore(await post("new"))));
$("#start-lines").append(...STARTS.map((line) => {
  const button = make("button", { type: "button" }, line);
  button.addEventListener("click", () => answer("say", { text: line }));
  return button;
}));
$("#start-poses").append(...START_POSES.map((name) => gallery.tile(name)));
try {
  restore(await read("conversation"));
} catch (error) {
  trouble(error);
}
