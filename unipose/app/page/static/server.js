// What the page asks its server for. Everything goes to the server that the page came from.

export class ServerProblem extends Error {
  constructor(text, status = 0) {
    super(text);
    this.status = status;
  }
}

const GONE = "The server cannot be reached. Is it still running?";

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(`/page/${path}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerProblem(GONE);
  }
  if (!response.ok) throw new ServerProblem(await reason(response), response.status);
  return response;
}

async function reason(response) {
  try {
    const { detail } = await response.json();
    if (typeof detail === "string") return detail;
    return detail?.[0]?.msg ?? `The server answered ${response.status}.`;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

const json = (content) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(content),
});

export const read = async (path) => (await ask(path)).json();
export const post = async (path, content = {}) => {
  const response = await ask(path, json(content));
  return response.status === 204 ? null : response.json();
};
export const bytes = async (path) => (await ask(path)).arrayBuffer();

/** Sends a file; the answer has the name under which it lies there. */
export const bring = async (file) =>
  (await ask(`files?name=${encodeURIComponent(file.name)}`, { method: "PUT", body: file })).json();

/** Gives the events of an answer while it is made: the server writes a line of JSON for each. */
export async function* events(path, content) {
  const response = await ask(path, json(content));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line) yield JSON.parse(line);
    }
  } catch (error) {
    throw error instanceof SyntaxError ? error : new ServerProblem(GONE);
  }
}

const id = encodeURIComponent;
export const address = {
  file: (file) => `/page/files/${id(file)}`,
  picture: (pose) => `/page/poses/${id(pose)}/picture.jpg`,
  named: (name) => `/page/gallery/${id(name)}`,
  download: (pose, kind, motion) => `/page/poses/${id(pose)}/file?kind=${kind}${motion ? "&motion=true" : ""}`,
  body: (pose, { movedFrom, motion } = {}) => {
    const asked = new URLSearchParams();
    if (movedFrom) asked.set("moved_from", movedFrom);
    if (motion) asked.set("motion", "true");
    return `poses/${id(pose)}/body.glb?${asked}`;
  },
  moved: (pose, from) => `poses/${id(pose)}/moved?moved_from=${id(from)}`,
};
