// What the server is asked for, and how it says no.

export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** A JSON answer; `asked` is a request that is under way already. */
export async function getJson(path, parameters = {}, asked = null) {
  return (await get(path, parameters, asked)).json();
}

/** A binary answer. */
export async function getBytes(path, parameters = {}) {
  return (await get(path, parameters)).arrayBuffer();
}

/** An address, relative to the page: TensorBoard may be served under any path. */
export function address(path, parameters) {
  const pairs = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return pairs.length ? `${path}?${pairs.join("&")}` : path;
}

async function get(path, parameters, asked = null) {
  let answer;
  try {
    answer = await (asked ?? fetch(address(path, parameters)));
  } catch {
    throw new ServerError("TensorBoard does not answer. Is it still running?", 0);
  }
  if (answer.ok) return answer;
  let message = `TensorBoard answered with status ${answer.status}.`;
  try {
    message = String((await answer.json()).error ?? message);
  } catch {
    // Not one of our answers: the status has to do.
  }
  throw new ServerError(message, answer.status);
}
