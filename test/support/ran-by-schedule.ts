import type { Producer } from "holdfast";
import { tickKey } from "../../src/job/define-schedule.ts";
import { type monthlyStatements, shopIn } from "./shop.ts";

/** As if a scheduler of the shop had run for a part of the past hours. */
export async function ranBySchedule(
  producer: Producer,
  more: readonly (typeof monthlyStatements)[] = [],
): Promise<void> {
  for (const schedule of [...shopIn({ isPartnerDown: false }).schedules, ...more]) {
    const { job, payload, timetable } = schedule;
    const ticks = timetable.latest(48, Date.now()).filter((_tick, index) => index < 19 || index > 22);
    await producer.submitMany(
      job,
      ticks.map((at) => ({
        payload: payload({ at: new Date(at) }),
        idempotencyKey: tickKey(schedule, at),
      })),
    );
  }
}
