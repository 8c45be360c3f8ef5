/** Where each page was scrolled to, so that Back returns to it. */
interface Place {
  readonly window: number;
  readonly list: number;
}

const KEPT_MAX = 50;
const places = new Map<string, Place>();
let isBack = false;

/** Call it once, before the router: its listener must be the first. */
export function rememberScroll(): void {
  history.scrollRestoration = "manual";
  window.addEventListener("popstate", () => {
    isBack = true;
  });
  document.addEventListener("scroll", keep, { capture: true, passive: true });
}

/** Where the page was when it was left; undefined unless the person went back to it. */
export function placeToReturnTo(): Place | undefined {
  return isBack ? places.get(location.href) : undefined;
}

/** The page is shown: the next one starts at its top, unless the person goes back again. */
export function endReturn(): void {
  isBack = false;
}

function keep({ target }: Event): void {
  const list = target instanceof Element && target.classList.contains("long-table") ? target.scrollTop : null;
  if (list === null && target !== document) return;
  const before = places.get(location.href);
  places.delete(location.href);
  places.set(location.href, { window: window.scrollY, list: list ?? before?.list ?? 0 });
  const [oldest] = places.keys();
  if (places.size > KEPT_MAX && oldest !== undefined) places.delete(oldest);
}
