# Two commands do everything: `make quickstart` and `make test`. Each makes its own environment first.

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3
OUT ?= quickstart
TOUR ?= 40
SCENES ?= 2500
MINUTES ?= 10
LIMIT ?= 100
LEARNED_SOURCES := coco_instances,coco_keypoints,coco_captions,refcoco,nyuv2
LEARNED_TASKS := caption,det,seg,cond_det,rec,res,reg_box,interactive_seg,keypoints,depth

LEARN ?= learn
LEARN_SCENES ?= 8000
HELD_SCENES ?= 1000
LEARN_STEPS ?= 1300

ABLATE ?= ablate
ABLATE_SCENES ?= 3000
ABLATE_STEPS ?= 500
ABLATE_LIMIT ?= 100
ABLATIONS ?= tiny_untold tiny_unmatched tiny_two_encoders tiny_plan

.PHONY: quickstart learn ablate test check lint types format perf slow install clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[model,dev]'
	@# Oracles of the tests and `--engine official` only: one pins an old numpy, the other wants OpenCV for drawing.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps panopticapi-lite==0.2.0 lvis==0.5.3
	touch $@

install: $(VENV)/.installed

# Sample -> shards -> tiny model -> answers -> numbers and pages, all below $(OUT). First a small tour through every
# format and task, then the sources and tasks that the tiny model learns, on more scenes.
quickstart: install
	@echo '--- a tour: every source and every task, on $(TOUR) scenes'
	$(BIN)/vtinstruct sample $(OUT)/tour/sample --scenes $(TOUR) --workers 2
	$(BIN)/vtinstruct build $(OUT)/tour/sample --out $(OUT)/tour/dataset --workers 2
	$(BIN)/vtinstruct check $(OUT)/tour/dataset
	@echo '--- the dataset of the tiny model: $(SCENES) scenes'
	$(BIN)/vtinstruct sample $(OUT)/sample --scenes $(SCENES) --only $(LEARNED_SOURCES) --workers 2
	$(BIN)/vtinstruct build $(OUT)/sample --out $(OUT)/dataset --tasks $(LEARNED_TASKS) --workers 2
	rm -rf $(OUT)/model $(OUT)/results
	@echo '--- training for $(MINUTES) minutes'
	$(BIN)/refvlm train --recipe tiny_cpu --data $(OUT)/dataset --out $(OUT)/model --minutes $(MINUTES)
	@echo '--- answers to held-out scenes, and their scores beside trivial baselines'
	$(BIN)/refvlm-bench run --checkpoint $(OUT)/model --data $(OUT)/dataset --out $(OUT)/results --limit $(LIMIT) --baselines

# The tiny model's longer run (docs/learning.md): about half an hour of one core, on scenes of seed 0, scored on scenes of seed 1.
learn: install
	$(BIN)/vtinstruct sample $(LEARN)/sample --scenes $(LEARN_SCENES) --only $(LEARNED_SOURCES) --workers 2
	$(BIN)/vtinstruct build $(LEARN)/sample --out $(LEARN)/dataset --tasks $(LEARNED_TASKS) --workers 2
	$(BIN)/vtinstruct sample $(LEARN)/held-sample --scenes $(HELD_SCENES) --seed 1 --only $(LEARNED_SOURCES) --workers 2
	$(BIN)/vtinstruct build $(LEARN)/held-sample --out $(LEARN)/held --tasks $(LEARNED_TASKS) --workers 2
	rm -rf $(LEARN)/model $(LEARN)/results
	$(BIN)/refvlm train --recipe tiny_cpu --data $(LEARN)/dataset --out $(LEARN)/model --steps $(LEARN_STEPS) --minutes 600 --set threads=1 \
		--set evaluate=220 --held-out val2017,val,testA,testB,test --held-out-limit 50
	$(BIN)/refvlm-bench run --checkpoint $(LEARN)/model --data $(LEARN)/held --out $(LEARN)/results --baselines
	$(BIN)/refvlm curves $(LEARN)/model --out $(LEARN)/curves.html --level "most frequent=$(LEARN)/results/models/prior/results.json"

# The tiny recipe with one thing left out or put in (docs/learning.md): equal steps, data, seed and order; held-out scores, and each
# variant against `tiny_cpu` on the same questions. Stopped, it goes on where it was; ABLATE_STEPS says how long.
ablate: install
	test -e $(ABLATE)/dataset/manifest.json || { \
		$(BIN)/vtinstruct sample $(ABLATE)/sample --scenes $(ABLATE_SCENES) --only $(LEARNED_SOURCES) --workers 2 && \
		$(BIN)/vtinstruct build $(ABLATE)/sample --out $(ABLATE)/dataset --tasks $(LEARNED_TASKS) --workers 2; }
	for recipe in tiny_cpu $(ABLATIONS); do \
		$(BIN)/refvlm train --recipe $$recipe --data $(ABLATE)/dataset --out $(ABLATE)/$$recipe/model --steps $(ABLATE_STEPS) \
			--minutes 600 --set threads=1 --set precision=bfloat16 --set save=100 --resume && \
		$(BIN)/refvlm-bench run --checkpoint $(ABLATE)/$$recipe/model --data $(ABLATE)/dataset --out $(ABLATE)/$$recipe/results \
			--limit $(ABLATE_LIMIT) || exit 1; done
	for recipe in $(ABLATIONS); do echo "--- tiny_cpu, then $$recipe"; \
		$(BIN)/refvlm-bench compare $(ABLATE)/tiny_cpu/results/models/refvlm $(ABLATE)/$$recipe/results/models/refvlm \
			--out $(ABLATE)/$$recipe.html || exit 1; done

test: install
	$(BIN)/pytest -n 2

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/pyright

# What CI runs.
check: lint types test

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Measurements against peers, in one run; they print ratios and assert none.
perf: install
	$(BIN)/pytest -m perf --benchmark-enable tests/perf

# Proofs that take minutes: kills and resumes, several processes, training.
slow: install
	$(BIN)/pytest -m slow

clean:
	rm -rf $(OUT) $(LEARN) $(ABLATE) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .benchmarks
