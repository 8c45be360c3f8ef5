import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { arrivalOf, isMailId, openMailDirectory } from "./mail-directory.ts";

describe("the mail directory", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "holdfast-mail-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("stores a message byte for byte, as one file and no other", async () => {
    const message = Buffer.from([0, 13, 10, 46, 255, 254]);
    const mails = await openMailDirectory(directory);

    const id = await mails.store(message);

    expect(await readdir(directory)).toEqual([`${id}.eml`]);
    expect(await mails.read(id)).toEqual(message);
  });

  it("names mails so that they sort in order of arrival, however quickly they arrive", async () => {
    const mails = await openMailDirectory(directory);

    const ids = await Promise.all(
      Array.from({ length: 50 }, (_, index) => mails.store(Buffer.from(`${index}`))),
    );

    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(50);
  });

  it("reads from a mail's id when it arrived", async () => {
    const before = Date.now();

    const id = await (await openMailDirectory(directory)).store(Buffer.from("x"));

    expect(arrivalOf(id).getTime()).toBeGreaterThanOrEqual(before);
    expect(arrivalOf(id).getTime()).toBeLessThanOrEqual(Date.now());
  });

  it("lists the newest first with their number, and ignores other files", async () => {
    const mails = await openMailDirectory(directory);
    const first = await mails.store(Buffer.from("1"));
    const second = await mails.store(Buffer.from("2"));
    const third = await mails.store(Buffer.from("3"));
    await writeFile(join(directory, "notes.eml"), "");
    await writeFile(join(directory, `.${first}.unfinished`), "");

    expect(await mails.newest(2)).toEqual({ ids: [third, second], total: 3 });
  });

  it("shows mails that another process stored", async () => {
    const [here, there] = await Promise.all([openMailDirectory(directory), openMailDirectory(directory)]);

    const id = await here.store(Buffer.from("x"));

    expect(await there.read(id)).toEqual(Buffer.from("x"));
  });

  it("reads no more of a mail than asked for", async () => {
    const mails = await openMailDirectory(directory);
    const id = await mails.store(Buffer.from("0123456789"));

    expect(String(await mails.read(id, 4))).toBe("0123");
    expect(String(await mails.read(id, 40))).toBe("0123456789");
  });

  it("finds no mail under a name that is not an id, wherever the path would lead", async () => {
    const mails = await openMailDirectory(join(directory, "mailbox"));
    await writeFile(join(directory, "secret.eml"), "secret");

    expect(await mails.read("../secret")).toBeUndefined();
    expect(await mails.read("20261124T140912123Z-00000000")).toBeUndefined();
    expect(isMailId("20261124T140912123Z-00000000\n")).toBe(false);
  });

  it("leaves no file behind when a message cannot be stored", async () => {
    const mails = await openMailDirectory(join(directory, "gone"));
    await rm(join(directory, "gone"), { recursive: true });

    await expect(mails.store(Buffer.from("x"))).rejects.toThrow("ENOENT");
    expect(await readdir(directory)).toEqual([]);
  });

  it("leaves no file behind when writing fails halfway", async () => {
    const mails = await openMailDirectory(directory);

    await expect(mails.store(Symbol("not bytes") as unknown as Buffer)).rejects.toThrow(TypeError);
    expect(await readdir(directory)).toEqual([]);
  });
});
