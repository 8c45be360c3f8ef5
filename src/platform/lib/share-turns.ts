import type { Socket } from "node:net";

/** What connections may cost in one turn of the event loop, in about microseconds. */
const MOST_OF_A_TURN = 4_096;
/** From so much on, a connection is one of the costly, which wait for each other. */
const COSTLY_FROM = 512;

interface Reading {
  cost: number;
  pause(): void;
  resume(): void;
}

const readings = new WeakMap<Socket, Reading>();
const costly = new Set<Reading>();
/** The next to be read first. */
const paused = new Set<Reading>();
let costOfTurn = 0;
let isScheduled = false;

/**
 * Counts what a connection costs the event loop by thousands of small things in one read: pieces of a body, requests behind others. When
 * a turn has cost too much, the costly connections wait: one of them is read in each turn, so that all others are answered meanwhile.
 *
 * @param cost in about microseconds
 */
export function spendTurn(socket: Socket, cost: number): void {
  const reading = readings.get(socket) ?? readingOf(socket);
  reading.cost += cost;
  costOfTurn += cost;
  scheduleTurn();
  if (reading.cost < COSTLY_FROM || socket.destroyed) return;
  costly.add(reading);
  if (costOfTurn < MOST_OF_A_TURN || paused.has(reading)) return;
  for (const one of costly) pause(one);
}

function scheduleTurn(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(() => {
    isScheduled = false;
    costOfTurn = 0;
    const [next] = paused;
    if (next === undefined) return;
    paused.delete(next);
    next.resume();
    scheduleTurn();
  });
}

function pause(reading: Reading): void {
  if (paused.has(reading)) return;
  paused.add(reading);
  reading.pause();
}

/** Node itself pauses and resumes a connection's socket. Meanwhile that is remembered. */
function readingOf(socket: Socket): Reading {
  const { pause, resume } = socket;
  let isPaused = false;
  let isWanted = true;
  const reading: Reading = {
    cost: 0,
    pause() {
      isWanted = !socket.isPaused();
      isPaused = true;
      pause.call(socket);
    },
    resume() {
      isPaused = false;
      if (isWanted) resume.call(socket);
    },
  };
  socket.pause = () => {
    isWanted = false;
    return pause.call(socket);
  };
  socket.resume = () => {
    isWanted = true;
    return isPaused ? socket : resume.call(socket);
  };
  socket.once("close", () => {
    costly.delete(reading);
    paused.delete(reading);
  });
  readings.set(socket, reading);
  return reading;
}
