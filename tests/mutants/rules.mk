# SPDX-License-Identifier: Apache-2.0
#
# Goals for tools/mutants: one changed file compiled with the flags of the product, and linked with the objects of the
# others, which the goals mutant-base make first. Warnings pass: a mutant may leave a name unused.
#
#   make mutant-base-image T='stop wake'          what mutants of these images are linked with
#   make image-mutant SRC=changed.c FILE=gc/barrier.c T='stop wake' OUT=build/qemu-virt/mutants/1
#   make mutant-base-unit
#   make unit-mutant SRC=changed.c FILE=gc/bits.c T='bits' OUT=build/mutants/1
.PHONY: mutant-base-image image-mutant mutant-base-unit unit-mutant

SRC ?=
FILE ?=
OUT ?=
mutant_flags = $(filter-out -Werror -MMD -MP -fstack-usage,$(1))
mutant_objs := $(filter-out $(B)/$(basename $(FILE)).o,$(core_objs))

mutant-base-image: $(T:%=$(B)/tests/%.elf)
mutant-base-unit: $(units:%=$(H)/plain/unit/%)

# A mutant of libc/ comes before the archive, so that its member is not taken.
image-mutant:
	@mkdir -p $(OUT)
	$(Q)$(CROSS)gcc $(call mutant_flags,$(if $(call is_core,$(FILE)),$(cflags_core),$(cflags_app))) -c $(SRC) \
	    -o $(OUT)/mutant.o
	$(Q)for t in $(T); do \
	    cp $(B)/tests/$$t.run $(OUT)/ && \
	    $(CROSS)gcc $(ldflags) $(B)/tests/image/$$t.o $(mutant_objs) $(OUT)/mutant.o \
	        $(call obj,$(B),$(src_image_lib)) $(link_libs) -o $(OUT)/$$t.elf || exit 1; \
	done

# The mutant's object comes before the archive, so that its member is not taken.
unit-mutant:
	@mkdir -p $(OUT)
	$(Q)$(HOSTCC) $(call mutant_flags,$(host_cflags)) $(flags_plain) $(kernelish) -c $(SRC) -o $(OUT)/mutant.o
	$(Q)for t in $(T); do \
	    $(HOSTCC) $(flags_plain) -pthread $(H)/plain/tests/unit/$$t.o $(OUT)/mutant.o $(H)/plain/libhartgc.a \
	        $(libs_plain) -o $(OUT)/$$t || exit 1; \
	done
