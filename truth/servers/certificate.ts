import { execFileSync } from "node:child_process";

/** A self-signed certificate with its key, made once: nobody trusts it. */
export function certificate(): { key: string; cert: string } {
  made ??= make();
  return made;
}

let made: { key: string; cert: string } | undefined;

function make() {
  const curve = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const output = execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", ...curve, "-noenc", "-days", "1", ...subject, "-keyout", "-", "-out", "-"],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  const end = output.indexOf("-----BEGIN CERTIFICATE-----");
  return { key: output.slice(0, end), cert: output.slice(end) };
}
