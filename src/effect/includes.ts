import { removeEndedJobLua } from "../queue/includes.ts";
import { loadInclude } from "../redis/script.ts";

/** Lua functions about ledgers and their entries. */
export const ledgerLua = loadInclude(import.meta.url, "ledger.lua");
export const entriesLua = loadInclude(import.meta.url, "entries.lua");
export const pendingRunLua = loadInclude(import.meta.url, "pending-run.lua");
export const deleteEndedLua = removeEndedJobLua + loadInclude(import.meta.url, "delete-ended.lua");
