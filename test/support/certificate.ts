import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "./test-scope.ts";

export interface Certificate {
  /** Of the certificate, which is its own authority. */
  readonly file: string;
  /** The arguments with which a Redis server uses it. */
  readonly args: readonly string[];
}

/**
 * Makes a self-signed certificate, which is gone when the test ends.
 *
 * @param names whom it is for, such as `IP:127.0.0.1` or `DNS:localhost`
 */
export async function makeCertificate(...names: readonly string[]): Promise<Certificate> {
  const folder = await mkdtemp(path.join(tmpdir(), "holdfast-tls-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [key, file] = [path.join(folder, "key.pem"), path.join(folder, "certificate.pem")];
  await promisify(execFile)("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "1"],
    ...["-subj", "/CN=store", "-addext", `subjectAltName=${names.join(",")}`, "-keyout", key, "-out", file],
  ]);
  const files = ["--tls-cert-file", file, "--tls-key-file", key, "--tls-ca-cert-file", file];
  return { file, args: [...files, "--tls-auth-clients", "no"] };
}
