# SPDX-License-Identifier: Apache-2.0
#
# Fuzz targets: tests/fuzz/NAME.c, with libFuzzer (clang), ASan and UBSan. The Makefile includes this file before its targets.
# make fuzz builds them, make check-fuzz runs each for FUZZ_SECONDS; the corpora grow in $(O)/fuzz/corpus/NAME.

FUZZCC ?= clang
FUZZ_SECONDS ?= 10
F := $(O)/fuzz
fuzz_targets := $(sort $(basename $(notdir $(wildcard tests/fuzz/*.c))))
fuzz_programs := $(fuzz_targets:%=$(F)/%)
fuzz_sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all
fuzz_cflags = $(common) -Ihal/host -O1 -fno-omit-frame-pointer -pthread $(fuzz_sanitize)
# The HAL's handlers and switches are left without the fuzzer's counters.
fuzz_count = $(if $(filter hal/%,$(1)),,-fsanitize=fuzzer-no-link)

# What each is linked with beside its own file.
fuzz_src_api := $(filter-out hal/host/main.c,$(src_host))
fuzz_src_edit := ports/lua/edit.c
fuzz_src_fdt := boot/fdt.c
fuzz_src_json := apps/jsonstore/parse.c apps/jsonstore/json.c apps/jsonstore/print.c kernel/printf.c
fuzz_src_printf := kernel/printf.c
fuzz_src_restart :=
fuzz_src_settings := gc/settings.c kernel/args.c kernel/printf.c

$(F)/flags: FORCE
	$(call flags_file,$(FUZZCC) $(fuzz_cflags))

$(F)/%.o: %.c $(F)/flags
	$(call say,CC,"$< (fuzz)")
	@mkdir -p $(@D)
	$(Q)$(FUZZCC) $(fuzz_cflags) $(call fuzz_count,$<) $(if $(filter kernel/% gc/% boot/%,$<),$(kernelish)) -c $< -o $@

# The kernel has a main of its own: the fuzzer's is left out, and its library named.
$(F)/api: fuzz_link = $(shell $(FUZZCC) -print-runtime-dir)/libclang_rt.fuzzer_no_main-$(shell uname -m).a -lstdc++ -lm
fuzz_link = -fsanitize=fuzzer
define fuzz_rules
$(F)/$(1): $(call obj,$(F),tests/fuzz/$(1).c $(fuzz_src_$(1)))
	$$(call say,LD,$$@)
	$(Q)$(FUZZCC) $(fuzz_sanitize) -pthread $$(filter %.o,$$^) $$(fuzz_link) -o $$@
endef
$(foreach target,$(fuzz_targets),$(eval $(call fuzz_rules,$(target))))

.PHONY: fuzz check-fuzz
## builds the fuzz targets
fuzz: $(fuzz_programs)

## runs each fuzz target for FUZZ_SECONDS
check-fuzz: $(fuzz_programs)
	$(Q)O='$(O)' FUZZ_SECONDS='$(FUZZ_SECONDS)' prove --jobs $(JOBS) --timer --exec tools/check-fuzz $(fuzz_targets)

ifneq ($(building),)
-include $(patsubst %.o,%.d,$(foreach target,$(fuzz_targets),$(call obj,$(F),tests/fuzz/$(target).c $(fuzz_src_$(target)))))
endif
