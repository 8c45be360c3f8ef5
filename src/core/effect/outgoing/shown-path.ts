/** Long words with digits, and longer ones without: ids and tokens. Some services have the secret in the path. */
const SECRET_LIKE = /^(?=.*\d)(?=.*[A-Za-z]).{20,}$|^[A-Za-z0-9+/=_~%]{24,}$|:/;
const PATH_MAX = 200;

/** The path of a URL or a request target, without query; `…` for what looks like an id or a token. */
export function shownPath(target: string): string {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "") || "/";
  const shown = path
    .split("/")
    .map((segment) => (SECRET_LIKE.test(segment) ? "…" : segment))
    .join("/");
  return shown.slice(0, PATH_MAX).toWellFormed();
}
