// The sound of a new ticket. Off until somebody turns it on; browsers want a tap before any sound.

import { keep, kept } from "./storage.js";

const NOTES = [
  [880, 0],
  [1174.7, 0.14],
];

export class Chime {
  #context = null;

  constructor() {
    if (this.on) this.#wakeAtNextTap();
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
    if (this.on) {
      await this.#wake();
      this.ring();
    }
  }

  ring() {
    if (!this.on || this.#context?.state !== "running") return;
    for (const [frequency, delay] of NOTES)
      this.#play(frequency, this.#context.currentTime + delay);
  }

  #play(frequency, start) {
    const tone = new OscillatorNode(this.#context, { frequency, type: "sine" });
    const volume = new GainNode(this.#context, { gain: 0 });
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(0.35, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, start + 0.6);
    tone.connect(volume).connect(this.#context.destination);
    tone.start(start);
    tone.stop(start + 0.6);
  }

  async #wake() {
    this.#context ??= new AudioContext();
    await this.#context.resume();
  }

  #wakeAtNextTap() {
    addEventListener("pointerdown", () => this.#wake(), { once: true });
    addEventListener("keydown", () => this.#wake(), { once: true });
  }
}
