// Shows the progress and duration of a script.

/** Prints one line around long work: "Building…  done in 3.1 s". */
export async function step(title, work) {
  process.stdout.write(`${title}…  `);
  const stopWatch = startStopWatch();
  try {
    await work();
    console.log(`done in ${stopWatch()}`);
  } catch (error) {
    console.log(`failed after ${stopWatch()}`);
    throw error;
  }
}

/** Returns a function that formats the elapsed time: "0.4 s", "12 s", "2 min 5 s". */
export function startStopWatch() {
  const startedAt = performance.now();
  return () => formatted((performance.now() - startedAt) / 1000);
}

function formatted(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
