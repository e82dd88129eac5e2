// A single-page application as a client of the token API. The access token is in this variable and nowhere else; the
// refresh token is in a cookie that no script can read. Nothing is stored, and tabs do not talk to each other.

let accessToken = null;
let refreshing = null;

const $ = (id) => document.getElementById(id);

/** Nobody is signed in: the server says that the refresh cookie is worth nothing. */
class SignedOut extends Error {}

/** One request. `split`: tokens arrive as an access token in the body and a refresh token in a cookie. */
function send(method, path, body) {
  const headers = { "authkit-delivery": "split" };
  if (accessToken) headers.authorization = `Bearer ${accessToken}`;
  if (body) headers["content-type"] = "application/json";
  return fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
}

/** Calls the API. An access token that has expired is replaced, and the call made once more. */
async function call(method, path, body) {
  if (!accessToken) await refresh();
  let response = await send(method, path, body);
  if (response.status === 401) {
    await refresh();
    response = await send(method, path, body);
  }
  return read(response);
}

/**
 * Exchanges the refresh cookie for the next access token; one exchange at a time in this tab.
 *
 * Another tab may do the same at this moment, and an answer may be lost on its way: the token before the newest one
 * still works. So only 401 means that nobody is signed in; after anything else, try again.
 */
function refresh() {
  refreshing ??= exchange().finally(() => { refreshing = null; });
  return refreshing;
}

async function exchange() {
  accessToken = null;
  const response = await send("POST", "/v1/auth/refresh");
  if (response.status === 401) throw new SignedOut("You are signed out.");
  ({ access_token: accessToken } = await read(response));
  $("refreshes").value = Number($("refreshes").value) + 1;
}

/** The parsed body, `null` if it is empty; throws what the server has to say about a refusal (RFC 9457). */
async function read(response) {
  const kind = response.headers.get("content-type") ?? "";
  const body = kind.includes("json") ? await response.json() : null;
  if (response.ok) return body;
  const lines = [body?.title ?? `HTTP ${response.status}`, ...(body?.errors ?? []).map((error) => error.message)];
  throw new Error(lines.join("\n"));
}

async function signIn(credentials, creates) {
  if (creates) await read(await send("POST", "/v1/auth/signup", credentials));
  ({ access_token: accessToken } = await read(await send("POST", "/v1/auth/login", credentials)));
  $("signed-out").reset();
  await showNotes();
}

async function signOut() {
  await read(await send("POST", "/v1/auth/logout"));
  throw new SignedOut("You are signed out.");
}

async function showNotes() {
  const notes = await call("GET", "/notes");
  $("notes").replaceChildren(...notes.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  show(true);
}

function show(signedIn) {
  $("signed-in").hidden = !signedIn;
  $("signed-out").hidden = signedIn;
}

/** Does what a button or form is for, once at a time, and says what went wrong. */
async function act(button, work) {
  if (button) button.disabled = true;
  $("status").textContent = "";
  try {
    await work();
  } catch (error) {
    if (error instanceof SignedOut) {
      accessToken = null;
      $("notes").replaceChildren();
      show(false);
    }
    $("status").textContent = error.message;
  } finally {
    if (button) button.disabled = false;
  }
}

$("signed-out").addEventListener("submit", (event) => {
  event.preventDefault();
  const credentials = Object.fromEntries(new FormData(event.target));
  act(event.submitter, () => signIn(credentials, event.submitter.value === "sign-up"));
});
$("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const note = Object.fromEntries(new FormData(event.target));
  act(event.submitter, async () => {
    await call("POST", "/notes", note);
    event.target.reset();
    await showNotes();
  });
});
$("refresh").addEventListener("click", (event) => act(event.target, refresh));
$("clear").addEventListener("click", (event) => act(event.target, async () => {
  await call("DELETE", "/notes");
  await showNotes();
}));
$("sign-out").addEventListener("click", (event) => act(event.target, signOut));

// A new tab has no access token, but the browser may have the cookie of another one.
act(null, showNotes).then(() => { if ($("status").textContent === "You are signed out.") $("status").textContent = ""; });
