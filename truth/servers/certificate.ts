import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** A self-signed certificate for 127.0.0.1, with its key. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

const made = new Map<string, Certificate>();

/** Of downstreams that the runtimes trust, and of one that nobody trusts; made when it is needed. */
export function certificate(who: "trusted" | "untrusted"): Certificate {
  const known = made.get(who) ?? make();
  made.set(who, known);
  return known;
}

/** The variables with which a runtime trusts it, until `stop()`. */
export function trust(): { readonly env: NodeJS.ProcessEnv; stop(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-truth-"));
  const file = path.join(folder, "certificate.pem");
  writeFileSync(file, certificate("trusted").cert);
  const env = { NODE_EXTRA_CA_CERTS: file, DENO_CERT: file };
  return { env, stop: () => rmSync(folder, { recursive: true }) };
}

function make(): Certificate {
  const curve = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", "-", "-out", "-"];
  const output = execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", ...curve, "-noenc", "-days", "1", ...subject, ...files],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  const end = output.indexOf("-----BEGIN CERTIFICATE-----");
  return { key: output.slice(0, end), cert: output.slice(end) };
}
