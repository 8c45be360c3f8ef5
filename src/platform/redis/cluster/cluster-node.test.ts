import { describe, expect, it } from "vitest";
import { othersThan, ownerOf, parseClusterNodes } from "./cluster-node.ts";

const nodes = [
  "aa 127.0.0.1:1@10001,a.example myself,master - 0 0 1 connected 0-5460 [93->-bb] [77-<-bb]",
  "bb 127.0.0.1:2@10002 master - 0 0 2 connected 5461-16383",
  "cc 127.0.0.1:3@10003 slave aa 0 0 1 connected",
  "dd 127.0.0.1:4@10004 slave,fail aa 0 0 1 disconnected",
  "ee 127.0.0.1:5@10005 slave bb 0 0 2 connected",
  "",
].join("\n");

describe("what a cluster's node says about itself", () => {
  it("counts its replicas, also those that are away, and its slots that are being moved", () => {
    expect(parseClusterNodes(nodes)).toMatchObject({ replicas: 2, openSlots: 2 });
  });

  it("names where its slots go, which it gets, and which it has", () => {
    const { migrating, importing, owns } = parseClusterNodes(nodes);

    expect([...migrating]).toEqual([[93, "bb"]]);
    expect([...importing]).toEqual([77]);
    expect([0, 5460, 5461].map(owns)).toEqual([true, true, false]);
  });

  it("names the other masters with their addresses, and whether they are lost or serve anything", () => {
    const more =
      "ff ::1:6@10006,f.example master,fail - 0 0 2 disconnected\ngg :0@0 master,noaddr - 0 0 2 disconnected\n";

    expect(parseClusterNodes(nodes + more).masters).toEqual([
      { id: "aa", host: "127.0.0.1", port: 1, hasFailed: false, servesSlots: true },
      { id: "bb", host: "127.0.0.1", port: 2, hasFailed: false, servesSlots: true },
      { id: "ff", host: "::1", port: 6, hasFailed: true, servesSlots: false },
    ]);
  });
});

describe("who else may have keys of a slot that two masters claim", () => {
  const view = (myself: string, epoch: number, others: string) =>
    parseClusterNodes(`${myself} 127.0.0.1:1@10001 myself,master - 0 0 ${epoch} connected 0-99\n${others}\n`);
  const loser = view("bb", 2, "aa 127.0.0.1:2@10002 master - 0 0 1 connected 100-199");
  const othersOf = (winner: ReturnType<typeof view>) =>
    othersThan(ownerOf(7, [loser, winner]), [loser, winner], 7);

  it("is the one that loses it to a master of other slots, whatever it still believes", () => {
    expect(othersOf(view("aa", 9, "bb 127.0.0.1:1@10001 master - 0 0 2 connected 200-299"))).toEqual([loser]);
  });

  it("is not one that was replaced, which has a copy of all keys", () => {
    expect(othersOf(view("aa", 9, "bb 127.0.0.1:1@10001 master - 0 0 2 connected"))).toEqual([]);
    expect(othersOf(view("aa", 9, "bb 127.0.0.1:1@10001 master,fail - 0 0 2 connected 0-99"))).toEqual([]);
  });
});
