import { brokenBy, type Experiment } from "../lib/experiment.ts";
import { killAtEachPoint, perPoint, wrongAtPoints } from "./01-kill-worker.ts";

const options = { flowControl: true };

export const flowControl: Experiment = {
  number: 30,
  title: "Workers are killed while flow control is on",
  fault:
    "as experiment 1, while tenants share the queue, keys are limited, every second job is the child of a flow, and the queue is paused for a moment each second",
  mustHold:
    "effects ≤ 1 per key; in doubt exactly if nobody could know; each flow's parent runs after its child",
  async run(context) {
    const size = context.isQuick
      ? { perPoint: 1, plain: 1, workers: 3 }
      : { perPoint: 12, plain: 4, workers: 6 };
    const { verdict, dead, flows, openParents } = await killAtEachPoint(context, size, options);
    return {
      counts: verdict.counts,
      table: perPoint(verdict.jobs, dead),
      measured: [`${flows} flows, whose parents completed after their child had ended`],
      broken: [
        ...brokenBy(verdict),
        ...wrongAtPoints(verdict.jobs, dead),
        ...openParents.map((id) => `the parent ${id} has not completed`),
      ],
      controls: [],
    };
  },
};
