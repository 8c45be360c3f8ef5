import { createHash } from "node:crypto";

/** An entry of HOLDFAST_API_KEYS. */
export function keyEntry(name: string, scopes: string, key: string): string {
  return `${name}:${scopes}:${createHash("sha256").update(key).digest("hex")}`;
}

export function bearer(key: string): { readonly authorization: string } {
  return { authorization: `Bearer ${key}` };
}

/** Signs in as the console does; resolves to the headers of the session. */
export async function signIn(url: string, key: string): Promise<{ readonly cookie: string }> {
  const answer = await fetch(`${url}/session`, { method: "POST", headers: bearer(key) });
  const [cookie = ""] = (answer.headers.get("set-cookie") ?? "").split(";");
  return { cookie };
}
