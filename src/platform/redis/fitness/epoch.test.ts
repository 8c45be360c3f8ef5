import { expect, it } from "vitest";
import { createEpoch, type Loss } from "./epoch.ts";

it("is looked at anew by whoever asks while a look is under way, which may have been before the loss", async () => {
  let answerFirst = () => {};
  let asked = 0;
  const losses: (Loss | undefined)[] = [];
  const epoch = createEpoch({
    async compare() {
      asked += 1;
      if (asked === 2) return ["lost", "1", "one", "3", "none", "0", "0"];
      await new Promise<void>((resolve) => {
        answerFirst = resolve;
      });
      return ["one", 3, ""];
    },
    key: "epoch",
    durability: { level: "disk", replicas: 0 },
    write: () => Promise.reject(new Error("nothing is written here")),
    remembered: { id: "one", count: 3 },
    countOf: () => 0,
    layout: { known: () => "", first: "", agree: async (found) => found },
    onLoss: async (loss) => void losses.push(loss),
  });

  const before = epoch.check();
  const afterwards = epoch.check();
  answerFirst();

  await before;
  await expect(afterwards).rejects.toMatchObject({ code: "STORE_ROLLED_BACK" });
  expect([asked, losses.length]).toEqual([2, 1]);
});
