import { inLanes } from "../../lib/waiting.ts";
import { actJob } from "./act-jobs.ts";
import { check } from "./checker.ts";
import { apiSubmitter } from "./client.ts";
import { brokenBy, type Context, type Experiment } from "./experiment.ts";
import { type Installation, installFrom } from "./installation.ts";
import { LONG_LOCK, type Testbed, untilEnded, withTestbed } from "./testbed.ts";

const LANES = 30;

/** Every second job is submitted by the API, which changes its build; the others by this build's library. */
const BY_API = 2;

/** @param checkout of another build of this package, built, with its own laboratory */
export function rollingUpgrade(checkout: string): Experiment {
  return {
    number: 0,
    title: "A rolling upgrade, and back",
    fault:
      "SIGTERM and a new process of the other build, one worker, API and scheduler at a time, under load",
    mustHold:
      "no job lost, no effect repeated or in doubt, one job per tick; each build reads what the other wrote",
    async run(context) {
      const rounds = context.isQuick ? 2 : 10;
      const other = installFrom(checkout);
      const options = { workers: 3, concurrency: 8, api: true, scheduler: true, env: LONG_LOCK };
      return await withTestbed(options, async (testbed) => {
        const unclean = await upgradeInTurn(testbed, other, context, rounds);
        const verdict = await check(testbed, 120_000);
        const { counts } = verdict;
        const ticks = testbed.witnessed().filter(({ job }) => job.startsWith("schedule:"));
        const twice = ticks.length - new Set(ticks.map(({ key }) => key)).size;
        const inDoubt = counts.doubtDone + counts.doubtNotDone;
        counts.faults = rounds * rolesOf(testbed).length;
        return {
          counts,
          measured: [
            `${counts.acknowledged} jobs and ${ticks.length} ticks over ${counts.faults} changes of build`,
          ],
          broken: [
            ...brokenBy(verdict),
            ...(ticks.length === 0 ? ["no tick had its effect"] : []),
            ...(twice > 0 ? [`${twice} ticks had their effect twice`] : []),
            ...(inDoubt > 0 ? [`${inDoubt} effects in doubt`] : []),
            ...(unclean > 0 ? [`${unclean} processes did not exit cleanly`] : []),
          ],
          controls: [],
        };
      });
    },
  };
}

function rolesOf({ workers, api, scheduler }: Testbed) {
  const named = [
    ...workers.map((role) => ({ role, kind: "worker" as const })),
    { role: api, kind: "api" as const },
  ];
  return [...named, { role: scheduler, kind: "scheduler" as const }];
}

/** All roles to the other build, and in the next round back. @returns how many processes did not exit with 0 */
async function upgradeInTurn(
  testbed: Testbed,
  other: Installation,
  { random, say }: Context,
  rounds: number,
): Promise<number> {
  let isOver = false;
  let unclean = 0;
  const byApi = apiSubmitter(async () => (await testbed.api?.ready())?.url ?? "");
  const keys = (function* () {
    for (let index = 0; !isOver; index += 1) yield index;
  })();
  const load = inLanes(keys, LANES, async (index) => {
    const submission = actJob(`upgraded-${index}`, random);
    const accepted = await testbed.client.submit(submission, index % BY_API === 0 ? byApi : undefined);
    await untilEnded(testbed, accepted?.id);
  });
  for (let round = 0; round < rounds; round += 1) {
    const next = round % 2 === 0 ? other : testbed.installation;
    for (const { role, kind } of rolesOf(testbed)) {
      if ((await role?.replace(next.script(kind))) !== 0) unclean += 1;
      await role?.ready();
    }
    say(`round ${round + 1} of ${rounds}, ${testbed.client.acknowledged.length} jobs`);
  }
  isOver = true;
  await load;
  return unclean;
}
