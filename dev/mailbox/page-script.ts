/** The one script of the mailbox, placed in each page: local times, and new mail without a reload. */
export const pageScript = `
const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
function localTimes(root) {
  for (const time of root.querySelectorAll("time")) {
    time.title = time.textContent;
    time.textContent = format.format(new Date(time.dateTime));
  }
}
async function refresh() {
  const answer = await fetch(location.href, { cache: "no-store" }).catch(() => undefined);
  if (answer === undefined || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  const shown = document.querySelector("main");
  if (fresh === null || fresh.innerHTML === served) return;
  served = fresh.innerHTML;
  localTimes(fresh);
  const focused = document.activeElement?.getAttribute("href");
  shown.replaceChildren(...fresh.childNodes);
  if (focused) [...shown.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
}
const main = document.querySelector("main");
let served = main.innerHTML;
localTimes(main);
const seconds = Number(main.dataset.refresh);
if (seconds > 0) setInterval(() => document.visibilityState === "visible" && refresh(), seconds * 1000);
`;
