# Installs circdesk; to be included by the Makefile above, or by itself:
#
#   make -f systemd/install.mk install BIN=DIR [DESTDIR=ROOT]
#
# BIN is the folder in which kioskd and kioskctl were built. A configuration that is there already stays.
# On the machine itself (no DESTDIR), this starts the desk:
#
#   systemd-sysusers && systemd-tmpfiles --create && systemctl restart systemd-udevd && udevadm trigger
#   systemctl daemon-reload && systemctl enable --now kioskd

BIN     ?= bin
DESTDIR ?=

circdesk_files := $(dir $(lastword $(MAKEFILE_LIST)))

.PHONY: install
install:
	install -D -m 755 $(BIN)/kioskd $(DESTDIR)/usr/bin/kioskd
	install -D -m 755 $(BIN)/kioskctl $(DESTDIR)/usr/bin/kioskctl
	install -D -m 644 $(circdesk_files)kioskd.service $(DESTDIR)/usr/lib/systemd/system/kioskd.service
	install -D -m 644 $(circdesk_files)circdesk.sysusers $(DESTDIR)/usr/lib/sysusers.d/circdesk.conf
	install -D -m 644 $(circdesk_files)circdesk.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/circdesk.conf
	install -D -m 644 $(circdesk_files)70-circdesk.rules $(DESTDIR)/usr/lib/udev/rules.d/70-circdesk.rules
	for f in kiosk.toml policy.toml; do \
		install -D -m 644 $(circdesk_files)$$f $(DESTDIR)/usr/share/doc/circdesk/examples/$$f && \
		{ test -e $(DESTDIR)/etc/circdesk/$$f || install -D -m 644 $(circdesk_files)$$f $(DESTDIR)/etc/circdesk/$$f; } || exit 1; \
	done
