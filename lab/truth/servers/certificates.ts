import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** A certificate for 127.0.0.1, with its key. */
interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Of two authorities of our own. The runtimes trust one of them. */
interface Certificates {
  of(authority: Authority): Certificate;
  /** The variables with which a runtime trusts the one. */
  readonly env: NodeJS.ProcessEnv;
}

type Authority = "trusted" | "untrusted";

let made: Certificates | undefined;

/** Made when they are needed; their files are gone when this process ends. */
export function certificates(): Certificates {
  made ??= make();
  return made;
}

function make(): Certificates {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-truth-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const own = {
    trusted: makeCertificate(folder, "trusted"),
    untrusted: makeCertificate(folder, "untrusted"),
  };
  const file = path.join(folder, "trusted.pem");
  return { of: (authority) => own[authority], env: { NODE_EXTRA_CA_CERTS: file, DENO_CERT: file } };
}

/** Some runtimes do not take an authority's own certificate for that of a server. */
function makeCertificate(folder: string, authority: Authority): Certificate {
  const [key, cert] = [path.join(folder, `${authority}.key`), path.join(folder, `${authority}.pem`)];
  request(key, cert, `/CN=${authority}`, "CA:TRUE", []);
  const [ownKey, ownCert] = [`${key}.own`, `${cert}.own`];
  const by = ["-CA", cert, "-CAkey", key, "-addext", "subjectAltName=IP:127.0.0.1"];
  request(ownKey, ownCert, "/CN=127.0.0.1", "CA:FALSE", by);
  return { key: readFileSync(ownKey, "utf8"), cert: readFileSync(ownCert, "utf8") };
}

function request(key: string, cert: string, subject: string, constraint: string, more: string[]): void {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];
  const what = ["-subj", subject, "-addext", `basicConstraints=critical,${constraint}`, "-days", "1"];
  const files = ["-keyout", key, "-out", cert];
  execFileSync("openssl", ["req", "-x509", ...curve, ...what, ...more, ...files], { stdio: "ignore" });
}
