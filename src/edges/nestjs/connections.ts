import type { Producer } from "../../desk/create-producer.ts";
import type { StandaloneOperator } from "../../desk/operator.ts";

/**
 * Submits jobs and reads their status: inject it by this class.
 *
 * @example constructor(private readonly jobs: HoldfastProducer) {}
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the module provides an object with all of these
export abstract class HoldfastProducer {}
export interface HoldfastProducer extends Producer {}

/** What a person can do with jobs and doubts: inject it by this class. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the module provides an object with all of these
export abstract class HoldfastOperator {}
export interface HoldfastOperator extends StandaloneOperator {}
