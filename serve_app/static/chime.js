// The sound of a new ticket. Off until somebody turns it on; browsers want a tap before any sound.

import { keep, kept } from "./storage.js";

export class Chime {
	#context = null;

	constructor() {
		if (!this.on) return;
		for (const tap of ["pointerdown", "keydown"])
			addEventListener(tap, () => this.#wake(), { once: true });
	}

	get on() {
		return kept("sound") === true;
	}

	/** Whether it is on, but the browser still waits for a tap. */
	get waits() {
		return this.on && this.#context?.state !== "running";
	}

	async toggle() {
		keep("sound", !this.on);
		if (this.on) await this.#wake();
		this.ring();
	}

	ring() {
		if (!this.on || this.waits) return;
		const start = this.#context.currentTime;
		const tone = new OscillatorNode(this.#context, { frequency: 880 });
		const volume = new GainNode(this.#context, { gain: 0.35 });
		tone.frequency.setValueAtTime(1175, start + 0.14);
		volume.gain.exponentialRampToValueAtTime(0.001, start + 0.6);
		tone.connect(volume).connect(this.#context.destination);
		tone.start(start);
		tone.stop(start + 0.6);
	}

	async #wake() {
		this.#context ??= new AudioContext();
		await this.#context.resume();
	}
}
