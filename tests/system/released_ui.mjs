// Uses the released web interface in a browser as a person would, and prints what it saw as one JSON object.
//
// Takes one JSON object: `ui` (a directory whose node_modules have playwright-core), `chromium`, `profile` (an empty
// directory), `page` (where the interface is), `environment` (one that is there), `channel` and `package` of one to make.
import { createRequire } from "node:module";
import { join } from "node:path";

const wish = JSON.parse(process.argv[2]);
const { chromium } = createRequire(join(wish.ui, "/"))("playwright-core");

const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const context = await chromium.launchPersistentContext(wish.profile, {
  executablePath: wish.chromium,
  headless: true,
  args: SWITCHES,
  viewport: { width: 1400, height: 1400 },
});
context.setDefaultTimeout(60_000);
const seen = { refused: [], broken: [] };
const isLocal = (url) => ["localhost", "127.0.0.1"].includes(url.hostname);
// The interface asks for a font of another host, which a test does not.
await context.route((url) => !isLocal(url), (route) => route.abort());
context.on("response", (response) => {
  if (response.status() >= 400) seen.refused.push(`${response.status()} ${response.request().method()} ${response.url()}`);
});
context.on("weberror", (error) => seen.broken.push(String(error.error())));
const page = context.pages()[0];

// What a link that opens a tab of its own shows there.
async function shown(link) {
  const [tab] = await Promise.all([context.waitForEvent("page"), link.click()]);
  await tab.waitForLoadState();
  const text = await tab.locator("body").innerText();
  await tab.close();
  return text;
}

async function logIn() {
  await page.goto(wish.page);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByLabel("User name").fill("alice");
  await page.getByLabel("Password").fill("password");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL((url) => url.pathname === "/");
  await page.goto(wish.page);
  await page.getByRole("button", { name: "Log out" }).waitFor();
}

const status = page.getByTestId("build-status");

async function openEnvironment() {
  await page.getByText("default", { exact: true }).click();
  await page.getByRole("link", { name: wish.environment, exact: true }).click();
  await status.filter({ hasText: "Completed" }).waitFor();
  // Among what was asked for, and among what is installed.
  await page.getByText(wish.package, { exact: true }).nth(1).waitFor();
}

async function create() {
  await page.getByRole("link", { name: "Create a new environment in the default namespace" }).click();
  await page.getByLabel("Environment name").fill("made");
  await page.getByRole("button", { name: "+ Add Package" }).click();
  await page.getByLabel("Enter package").fill(wish.package);
  await page.getByRole("option", { name: wish.package, exact: true }).click();
  // This part is folded.
  await page.getByRole("button", { name: "Channels", exact: true }).click();
  await page.getByRole("button", { name: "+ Add Channel" }).click();
  await page.getByLabel("Enter channel").fill(wish.channel);
  await page.getByLabel("Enter channel").press("Enter");
  // The name is taken over a moment after the last key.
  await page.waitForTimeout(500);
  const [posted] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === "POST"),
    page.getByRole("button", { name: "Create", exact: true }).click(),
  ]);
  seen.build = (await posted.json()).data.build_id;
  await page.waitForURL((url) => url.pathname.endsWith("/default/made"));
  await status.filter({ hasText: "Completed" }).waitFor();
  seen.status = await status.innerText();
}

async function readArtifacts() {
  // Those that are made after the build are shown to whoever comes back.
  await page.reload();
  await status.filter({ hasText: "Completed" }).waitFor();
  seen.log = await shown(page.getByRole("link", { name: `Show Conda environment ${seen.build} log` }));
  seen.lockfile = await shown(page.getByRole("link", { name: "Show lockfile" }));
}

async function logOut() {
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("button", { name: "Log in" }).waitFor();
}

const steps = { logIn, openEnvironment, create, readArtifacts, logOut };
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
  } catch (error) {
    seen.failed = `${name}: ${error}`;
  }
  await page.screenshot({ path: join(wish.profile, `${name}.png`) });
  if (seen.failed) break;
}
await context.close();
console.log(JSON.stringify(seen));
