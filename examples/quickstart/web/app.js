// The quickstart page: forms and lists over the HTTP API, with no library and no build step.
// Text from the server reaches the page through `textContent` only. The session cookie is out of reach of this script.

const $ = (id) => document.getElementById(id);
const tabs = [$("show-login"), $("show-signup")];
const profile = ["who", "verified", "created", "last-login", "principal-id"].map($);

const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const timeOfDay = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

const EVENT_NAMES = new Map([
  ["signup", "Account created"],
  ["login_success", "Logged in"],
  ["login_failure", "Login failed"],
  ["logout", "Logged out"],
  ["password_changed", "Password changed"],
  ["session_revoked", "Session ended"],
]);

// The first match wins: most browsers also name those they descend from.
const BROWSERS = [[/Edg\//, "Edge"], [/OPR\//, "Opera"], [/Firefox\//, "Firefox"], [/Chrom/, "Chrome"], [/Safari\//, "Safari"]];
const SYSTEMS = [[/Android/, "Android"], [/iPhone/, "iPhone"], [/iPad/, "iPad"], [/Windows/, "Windows"], [/Mac OS X/, "macOS"], [/Linux/, "Linux"]];

/** A refusal in the server's words (RFC 9457), or a request that got no answer. */
class Problem extends Error {
  constructor(body) {
    super(body.detail ?? body.title ?? "The server refused the request.");
    this.body = body;
  }

  /** The message, what else the caller has to say, when to try again, and what to quote if the server is at fault. */
  text(more = []) {
    const { status, retry_after: seconds, request_id: request } = this.body;
    const lines = [this.message, ...more];
    if (seconds > 0) lines.push(`Try again in ${duration(seconds)}, after ${timeOfDay.format(Date.now() + seconds * 1000)}.`);
    if (status >= 500 && request) lines.push(`Reference: ${request}`);
    return lines.join("\n");
  }
}

/** Calls the API. Returns the parsed body, or `null` for an empty one; throws a `Problem` for a refusal. */
async function call(method, path, body) {
  const request = { method, credentials: "same-origin", cache: "no-store", headers: { accept: "application/json" } };
  if (method !== "GET") request.headers["content-type"] = "application/json";
  if (body) request.body = JSON.stringify(body);

  const response = await fetch(path, request).catch(() => {
    throw new Problem({ detail: "The server could not be reached. Check the connection and try again." });
  });
  const reply = await response.json().catch(() => null);
  if (!response.ok) throw new Problem({ ...reply, status: response.status });
  return reply;
}

/** The signed-in account, or `null` when nobody is signed in. */
async function whoAmI() {
  try {
    return await call("GET", "/v1/auth/me");
  } catch (problem) {
    if (problem.body?.status === 401) return null;
    throw problem;
  }
}

async function logIn(credentials) {
  const reply = await call("POST", "/v1/auth/login", credentials);
  if (reply.status === "challenge") {
    const methods = reply.challenge.offers.map((offer) => offer.method).join(" or ");
    throw new Problem({ detail: `The server asks for one more step: ${methods}. This example has no page for it.` });
  }
  for (const form of document.forms) form.reset();
  await showAccount();
  announce("You are logged in.", $("account-title"));
}

async function signUp(credentials) {
  await call("POST", "/v1/auth/signup", credentials);
  // A server that conceals which addresses are taken answers alike for all of them; only this login may then fail.
  try {
    await logIn(credentials);
  } catch (problem) {
    selectTab(tabs[0]);
    $("login-identifier").value = credentials.identifier;
    showProblem($("login-form"), problem);
  }
}

async function changePassword(passwords) {
  await call("POST", "/v1/account/change-password", passwords);
  $("password-form").reset();
  await showAccount();
  announce("Password changed. Your other sessions have ended.", $("password-title"));
}

async function endSessions(which, message) {
  await call("DELETE", `/v1/sessions/${encodeURIComponent(which)}`);
  await loadLists();
  announce(message, $("sessions-title"));
}

async function logOut() {
  await call("POST", "/v1/auth/logout", {});
  showSignedOut("You are logged out.", $("login-identifier"));
}

const sessions = pagedList("/v1/sessions", "sessions", sessionRow, $("sessions"), $("more-sessions"));
const events = pagedList("/v1/account/audit-events?limit=20", "events", eventRow, $("events").tBodies[0], $("more-events"));
const loadLists = () => Promise.all([sessions.load(), events.load()]);

onSubmit($("login-form"), logIn);
onSubmit($("signup-form"), signUp);
onSubmit($("password-form"), changePassword);
onClick($("logout"), logOut);
onClick($("end-others"), () => endSessions("all", "All other sessions have ended."));
onClick($("more-sessions"), sessions.more);
onClick($("more-events"), events.more);

for (const tab of tabs) {
  tab.addEventListener("click", () => selectTab(tab));
  tab.addEventListener("keydown", (event) => {
    const target = { ArrowLeft: tabs[0], Home: tabs[0], ArrowRight: tabs[1], End: tabs[1] }[event.key];
    if (!target) return;
    event.preventDefault();
    selectTab(target);
    target.focus();
  });
}

for (const button of document.querySelectorAll(".reveal")) {
  mask(button, true);
  button.addEventListener("click", () => mask(button, button.textContent === "Hide"));
}

// A page restored from the back-forward cache may show an account that was logged out since.
addEventListener("pageshow", (event) => event.persisted && start());
start();

async function start() {
  try {
    await showAccount();
  } catch (problem) {
    showSignedOut(problem.text());
  }
}

/** Shows the account, or the signed-out view when nobody is signed in. */
async function showAccount() {
  const me = await whoAmI();
  if (!me) return showSignedOut("");

  const [identifier] = me.identifiers;
  $("who").textContent = $("password-username").value = identifier?.value ?? me.id;
  $("verified").textContent = identifier?.verified_at ? "Verified" : "Not verified";
  $("principal-id").textContent = me.id;
  setTime($("created"), me.created_at);
  setTime($("last-login"), me.last_login_at);
  toggleViews("Your account", true);
  await loadLists();
}

/** Shows the signed-out view and leaves nothing of the account in the page. */
function showSignedOut(message, focus) {
  for (const node of profile) node.textContent = "";
  for (const form of document.forms) {
    form.reset();
    clearProblem(form);
  }
  sessions.clear();
  events.clear();
  selectTab(tabs[0]);
  toggleViews("Log in", false);
  announce(message, focus);
}

function toggleViews(title, signedIn) {
  document.title = `${title} · authkit quickstart`;
  $("account").hidden = $("logout").hidden = !signedIn;
  $("signed-out").hidden = signedIn;
}

function selectTab(selected) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === selected));
    tab.tabIndex = tab === selected ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = tab !== selected;
  }
}

/** Sends a form's fields, which are named as in the API, and shows a refusal beside them. */
function onSubmit(form, send) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearProblem(form);
    act(form, () => send(Object.fromEntries(new FormData(form))), (problem) => showProblem(form, problem));
  });
}

function onClick(button, work) {
  button.addEventListener("click", () => act(button, work, (problem) => announce(problem.text())));
}

/** Runs one action at a time per control; an ended session leads to the signed-out view. */
async function act(control, work, refuse) {
  if (control.ariaBusy === "true") return;
  control.ariaBusy = "true";
  announce("");
  try {
    await work();
  } catch (problem) {
    // A wrong password may be a 401 too, so the server is asked whether the session still stands.
    const unsure = problem.body?.status === 401 && !$("account").hidden;
    const ended = unsure && (await whoAmI().catch(() => problem)) === null;
    if (ended) showSignedOut("Your session has ended. Please log in again.", $("login-identifier"));
    else refuse(problem);
  } finally {
    control.ariaBusy = "false";
  }
}

function showProblem(form, problem) {
  if (form.closest("[hidden]")) return announce(problem.text());

  const unplaced = [];
  for (const { field, message } of problem.body.errors ?? []) {
    const input = form.elements.namedItem(field);
    input?.setAttribute("aria-invalid", "true");
    if (input) setText($(`${input.id}-error`), message);
    else unplaced.push(message);
  }
  const summary = form.querySelector(".form-error");
  setText(summary, problem.text(unplaced));
  (form.querySelector("[aria-invalid]") ?? summary).focus();
}

function clearProblem(form) {
  for (const error of form.querySelectorAll(".form-error, .field-error")) setText(error, "");
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  // Masked again before it is sent: browsers offer to save only what is a password field then.
  for (const button of form.querySelectorAll(".reveal")) mask(button, true);
}

function mask(button, masked) {
  const input = $(button.getAttribute("aria-controls"));
  input.type = masked ? "password" : "text";
  button.textContent = masked ? "Show" : "Hide";
  button.setAttribute("aria-label", `${button.textContent} ${input.labels[0].textContent.toLowerCase()}`);
}

/** Says `message` in the status region; moves the focus where the control that had it may be gone. */
function announce(message, focus) {
  $("status").textContent = message;
  focus?.focus();
}

/** A list that grows page by page; an answer that a later request has overtaken is dropped. */
function pagedList(path, key, row, into, moreButton) {
  let next = null;
  let latest = 0;

  async function load(after) {
    const ticket = ++latest;
    const url = new URL(path, location.origin);
    if (after) url.searchParams.set("after", after);
    const page = await call("GET", url);
    if (ticket !== latest) return;
    if (!after) into.replaceChildren();
    into.append(...page[key].map(row));
    next = page.next;
    moreButton.hidden = !next;
  }

  function clear() {
    latest += 1;
    into.replaceChildren();
    moreButton.hidden = true;
  }

  return { load: () => load(null), more: () => load(next), clear };
}

function sessionRow(session) {
  const device = deviceName(session.user_agent);
  const ip = session.ip ?? "unknown address";
  const badge = session.current ? "This device" : "";
  const row = fromTemplate("session-row", { device, badge, ip, seen: session.last_seen_at, since: session.created_at });
  row.dataset.sessionId = session.id;

  const end = row.querySelector(".end-session");
  end.setAttribute("aria-label", `End session: ${device}, ${ip}`);
  onClick(end, () => endSessions(session.id, "The session has ended."));
  if (session.current) end.remove();
  return row;
}

function eventRow(event) {
  const row = fromTemplate("event-row", {
    name: EVENT_NAMES.get(event.kind) ?? event.kind.replaceAll("_", " "),
    origin: [deviceName(event.user_agent), event.ip, event.method].filter(Boolean).join(" · "),
    outcome: event.outcome,
    at: event.at,
  });
  row.dataset.kind = event.kind;
  row.dataset.outcome = event.outcome;
  return row;
}

function fromTemplate(id, parts) {
  const row = $(id).content.firstElementChild.cloneNode(true);
  for (const [name, value] of Object.entries(parts)) {
    const node = row.querySelector(`[data-part="${name}"]`);
    if (node instanceof HTMLTimeElement) setTime(node, value);
    else node.textContent = value;
  }
  return row;
}

/** "Firefox on Linux": a help for the reader's eye, never a decision. */
function deviceName(userAgent) {
  if (!userAgent) return "Unknown device";
  const known = [BROWSERS, SYSTEMS].map((names) => names.find(([pattern]) => pattern.test(userAgent))?.[1]);
  return known.filter(Boolean).join(" on ") || userAgent.slice(0, 60);
}

function duration(seconds) {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  if (seconds < 7200) return `${Math.ceil(seconds / 60)} minutes`;
  return `${Math.ceil(seconds / 3600)} hours`;
}

function setTime(node, rfc3339) {
  node.dateTime = rfc3339 ?? "";
  node.textContent = rfc3339 ? dateTime.format(new Date(rfc3339)) : "never";
}

function setText(node, text) {
  node.textContent = text;
  node.hidden = text === "";
}
