// Bodies on a floor that can be turned around. Draws only when something has changed.

import * as THREE from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

const FIELD_OF_VIEW = 26;
const AZIMUTH = (30 * Math.PI) / 180; // as in our pictures: from the body's front towards its left
const ELEVATION = (12 * Math.PI) / 180;
const BESIDE = 0.55; // metres from the middle, of two bodies; more if they stretch out
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Viewer {
  constructor(canvas) {
    this.canvas = canvas;
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = THREE.PCFShadowMap; // the one whose shadows have a radius
    this.scene = new THREE.Scene();
    this.camera = new THREE.PerspectiveCamera(FIELD_OF_VIEW, 1, 0.05, 200);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enablePan = false;
    this.controls.minDistance = 0.8;
    this.controls.maxDistance = 30;
    this.controls.maxPolarAngle = Math.PI * 0.53;
    this.controls.addEventListener("change", () => this.redraw());
    this.loader = new GLTFLoader();
    this.clock = new THREE.Clock();
    this.bodies = [];
    this.onTime = () => {};
    this.onDrawn = () => {};
    this.#light();
    this.#floor();
    this.home(false);
    new ResizeObserver(() => this.#resize()).observe(canvas);
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Reads a body out of a .glb. */
  async read(document) {
    const { scene, animations } = await this.loader.parseAsync(document, "");
    const bones = [];
    scene.traverse((node) => {
      if (node.isBone) bones.push(node);
      if (!node.isMesh) return;
      node.castShadow = node.receiveShadow = true;
      node.frustumCulled = false;
    });
    return {
      scene, bones, clip: animations[0] ?? null,
      turns: bones.map((bone) => bone.quaternion.clone()),
      place: bones[0].position.clone(),
    };
  }

  /** Shows one body, or two side by side; the way one looks at them stays. */
  show(bodies) {
    for (const body of this.bodies) {
      this.scene.remove(body.scene);
      if (!bodies.includes(body)) free(body.scene);
    }
    this.mixer = null;
    this.playing = false;
    this.bodies = bodies;
    const angle = this.controls.getAzimuthalAngle(); // beside each other as one looks at them now
    const across = bodies.map((body) => {
      const size = box(body).getSize(new THREE.Vector3());
      return Math.abs(Math.cos(angle)) * size.x + Math.abs(Math.sin(angle)) * size.z;
    });
    const apart = Math.max(BESIDE, across.reduce((sum, wide) => sum + wide, 0) / 4 + 0.06);
    bodies.forEach((body, i) => {
      const aside = bodies.length === 2 ? (i * 2 - 1) * apart : 0;
      body.scene.position.set(Math.cos(angle) * aside, 0, -Math.sin(angle) * aside);
      this.scene.add(body.scene);
    });
    const moving = bodies.length === 1 && bodies[0].clip;
    this.grid.visible = Boolean(moving);
    if (moving) {
      this.mixer = new THREE.AnimationMixer(bodies[0].scene);
      this.mixer.clipAction(bodies[0].clip).play();
      this.seek(0);
    }
    this.#frame();
    this.redraw();
  }

  /** Moves a body's joints from where it is to those of another, by a share from 0 to 1. */
  mix(body, from, to, share) {
    body.bones.forEach((bone, i) => bone.quaternion.slerpQuaternions(from.turns[i], to.turns[i], share));
    body.bones[0].position.lerpVectors(from.place, to.place, share);
    this.redraw();
  }

  /** The same, seen: over half a second. */
  async morph(body, from, to) {
    const run = (this.morphing = Symbol());
    for (let share = still.matches ? 1 : 0; ; ) {
      if (this.morphing !== run) return;
      this.mix(body, from, to, share * share * (3 - 2 * share));
      if (share === 1) return;
      const before = performance.now();
      await new Promise(requestAnimationFrame);
      share = Math.min(1, share + Math.min(performance.now() - before, 60) / 500);
    }
  }

  get seconds() { return this.bodies[0]?.clip?.duration ?? 0; }
  get time() { return this.mixer?.time ?? 0; }

  /** Goes to a second of the recording. */
  seek(seconds) {
    if (!this.mixer) return;
    // a looped action at its very end shows its beginning
    this.mixer.setTime(Math.min(Math.max(seconds, 0), this.seconds - 1e-4));
    this.#follow();
    this.onTime(seconds);
    this.redraw();
  }

  play(on) {
    this.playing = on && this.seconds > 0;
    this.clock.getDelta();
    this.redraw();
  }

  /** Looks from the front again. */
  home(draw = true) {
    const direction = new THREE.Vector3(
      Math.sin(AZIMUTH) * Math.cos(ELEVATION), Math.sin(ELEVATION), Math.cos(AZIMUTH) * Math.cos(ELEVATION),
    );
    this.camera.position.copy(this.controls.target).addScaledVector(direction, 5);
    if (draw) this.#frame();
    this.redraw();
  }

  redraw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      if (this.playing) {
        const next = this.time + this.clock.getDelta();
        this.seek(next > this.seconds ? 0 : next);
      }
      this.renderer.render(this.scene, this.camera);
      this.onDrawn();
      if (this.playing) this.redraw();
    });
  }

  /** Where the place above a body's head is on the canvas, in pixels. */
  above(body) {
    const point = body.scene.position.clone().setY(body.top + 0.07).project(this.camera);
    const { clientWidth, clientHeight } = this.canvas;
    return [((point.x + 1) / 2) * clientWidth, ((1 - point.y) / 2) * clientHeight];
  }

  #light() {
    this.scene.add(new THREE.HemisphereLight(0xf4f6ff, 0xc9c4bc, 1.55));
    this.sun = new THREE.DirectionalLight(0xfff6ea, 1.9);
    this.sun.castShadow = true;
    this.sun.shadow.mapSize.set(1024, 1024);
    this.sun.shadow.radius = 5;
    this.sun.shadow.normalBias = 0.02;
    this.sun.shadow.camera.left = this.sun.shadow.camera.bottom = -1.9;
    this.sun.shadow.camera.right = this.sun.shadow.camera.top = 1.9;
    this.scene.add(this.sun, this.sun.target);
  }

  #floor() {
    const floor = new THREE.Mesh(new THREE.CircleGeometry(60, 48), new THREE.ShadowMaterial({ opacity: 0.17 }));
    floor.rotation.x = -Math.PI / 2;
    floor.receiveShadow = true;
    this.grid = new THREE.GridHelper(40, 80, 0x8a9099, 0x8a9099);
    this.grid.material.transparent = true;
    this.grid.material.opacity = 0.16;
    this.grid.visible = false;
    this.scene.add(floor, this.grid);
  }

  /** Brings all bodies into the picture, from the direction that one looks from. */
  #frame() {
    if (!this.bodies.length) return;
    const all = new THREE.Box3();
    for (const body of this.bodies) {
      const own = box(body);
      body.top = own.max.y;
      all.union(own);
    }
    const middle = all.getCenter(new THREE.Vector3());
    const size = all.getSize(new THREE.Vector3());
    const tangent = Math.tan(((FIELD_OF_VIEW / 2) * Math.PI) / 180);
    const wide = Math.hypot(size.x, size.z) / 2;
    const distance = wide / 2 + Math.max((size.y / 2 + 0.12) / (tangent * 0.8), (wide + 0.05) / (tangent * this.camera.aspect * 0.92));
    const direction = this.camera.position.clone().sub(this.controls.target).normalize();
    this.controls.target.copy(middle);
    this.controls.target.y -= size.y * 0.03;
    this.camera.position.copy(this.controls.target).addScaledVector(direction, distance);
    this.#sunlight();
    this.controls.update();
  }

  #sunlight() {
    this.sun.target.position.copy(this.controls.target);
    this.sun.position.copy(this.controls.target).add(new THREE.Vector3(-0.9, 4.6, 2.4));
  }

  /** Lets the camera go along with a body that walks through its recording. */
  #follow() {
    const [root] = this.bodies[0].bones;
    const target = this.controls.target;
    const step = new THREE.Vector3(root.position.x - target.x, 0, root.position.z - target.z);
    target.add(step);
    this.camera.position.add(step);
    this.#sunlight();
    this.controls.update();
  }

  #key(event) {
    const by = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, -0.12], ArrowDown: [0, 0.12] }[event.key];
    const nearer = { "+": 0.9, "=": 0.9, "-": 1.1 }[event.key];
    if (event.key === "0") this.home();
    else if (!by && !nearer) return;
    event.preventDefault();
    const from = this.camera.position.clone().sub(this.controls.target);
    const place = new THREE.Spherical().setFromVector3(from);
    if (by) {
      place.theta += by[0];
      place.phi = Math.min(Math.max(place.phi + by[1], 0.1), this.controls.maxPolarAngle);
    }
    place.radius *= nearer ?? 1;
    this.camera.position.copy(this.controls.target).add(from.setFromSpherical(place));
    this.controls.update();
    this.redraw();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.#frame();
    this.redraw();
  }
}

/** The box around a body as it is posed now. */
function box({ scene }) {
  const around = new THREE.Box3();
  scene.updateMatrixWorld(true);
  scene.traverse((node) => {
    if (!node.isSkinnedMesh) return;
    node.computeBoundingBox();
    around.union(node.boundingBox.clone().applyMatrix4(node.matrixWorld));
  });
  return around;
}

/** Gives back what a body holds on the graphics card. */
function free(scene) {
  scene.traverse((node) => {
    if (!node.isMesh) return;
    node.geometry.dispose();
    node.material.dispose();
    node.skeleton?.dispose();
  });
}
