// SPDX-License-Identifier: GPL-2.0
/*
 * A board with two SPI devices and three GPIO lines whose chips are a program. Whatever the board's host
 * does is a question to the program that has /dev/bench-board open, in the order in which it is done, and
 * the host waits for the answer:
 *
 *   u8 what, u8 which, u8 level, u8 0, u32 length, then length bytes
 *
 *   'x'  a frame to chip select number which; the answer is as long
 *   's'  line number which is set to level; the answer is one byte, of any value
 *   'g'  line number which is read; the answer is one byte, its level
 *
 * Nobody there is a board without chips: frames and lines read 0. A program that has stopped answering
 * is a bus that fails with ETIMEDOUT after "patience" milliseconds.
 */
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/gpio/driver.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/spi/spi.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#define LONGEST 4096

static unsigned int patience = 500;
module_param(patience, uint, 0644);
static bool silent; /* nothing is answered, as if the program had stopped */
module_param(silent, bool, 0644);

struct question {
	u8 what, which, level, zero;
	u32 length;
	u8 data[LONGEST];
} __packed;

static DEFINE_MUTEX(asking); /* one question at a time */
static DEFINE_MUTEX(desk);   /* what follows, between host and program */
static struct question *now;
static u8 *reply;
static bool attended, waiting, heard; /* heard: by the program, which may answer */
static DECLARE_WAIT_QUEUE_HEAD(bell);
static DECLARE_COMPLETION(replied);

static struct platform_device *board;
static struct spi_controller *bus;

/* ask has the program answer; out may be the same as in. */
static int ask(u8 what, u8 which, u8 level, const u8 *in, u8 *out, u32 length)
{
	int failed = 0;

	mutex_lock(&asking);
	mutex_lock(&desk);
	now->what = what;
	now->which = which;
	now->level = level;
	now->length = length;
	if (in)
		memcpy(now->data, in, length);
	memset(reply, 0, LONGEST);
	reinit_completion(&replied);
	waiting = attended || silent;
	heard = silent;
	mutex_unlock(&desk);
	if (waiting) {
		wake_up(&bell);
		if (!wait_for_completion_timeout(&replied, msecs_to_jiffies(patience)))
			failed = -ETIMEDOUT;
	}
	mutex_lock(&desk);
	waiting = false;
	if (out)
		memcpy(out, reply, length);
	mutex_unlock(&desk);
	mutex_unlock(&asking);
	return failed;
}

/* frame collects the transfers of one chip select into one question, from first to last. */
static int frame(struct spi_message *m, struct spi_transfer *first, struct spi_transfer *last, u8 *buf)
{
	struct spi_transfer *t = first;
	u32 n = 0;
	int failed;

	list_for_each_entry_from(t, &m->transfers, transfer_list) {
		if (n + t->len > LONGEST)
			return -EMSGSIZE;
		if (t->tx_buf)
			memcpy(buf + n, t->tx_buf, t->len);
		else
			memset(buf + n, 0, t->len);
		n += t->len;
		if (t == last)
			break;
	}
	failed = ask('x', m->spi->chip_select, 0, buf, buf, n);
	if (failed)
		return failed;
	t = first;
	n = 0;
	list_for_each_entry_from(t, &m->transfers, transfer_list) {
		if (t->rx_buf)
			memcpy(t->rx_buf, buf + n, t->len);
		n += t->len;
		m->actual_length += t->len;
		if (t == last)
			break;
	}
	return 0;
}

static int carry(struct spi_controller *c, struct spi_message *m)
{
	struct spi_transfer *t, *first = NULL;
	u8 *buf = kmalloc(LONGEST, GFP_KERNEL);

	m->status = buf ? 0 : -ENOMEM;
	list_for_each_entry(t, &m->transfers, transfer_list) {
		if (m->status)
			break;
		if (!first)
			first = t;
		if (t->cs_change || list_is_last(&t->transfer_list, &m->transfers)) {
			m->status = frame(m, first, t, buf);
			first = NULL;
		}
	}
	kfree(buf);
	spi_finalize_current_message(c);
	return 0;
}

/* The lines. They are named as those of a Pi are. */
static const char *const names[] = { "GPIO24", "GPIO25", "GPIO26" };
static u8 outputs; /* a bit for each line that is one */

static int direction(struct gpio_chip *g, unsigned int n)
{
	return outputs & BIT(n) ? GPIO_LINE_DIRECTION_OUT : GPIO_LINE_DIRECTION_IN;
}

static int listen(struct gpio_chip *g, unsigned int n)
{
	outputs &= ~BIT(n);
	return 0;
}

static void set(struct gpio_chip *g, unsigned int n, int level)
{
	ask('s', n, !!level, NULL, NULL, 1);
}

static int drive(struct gpio_chip *g, unsigned int n, int level)
{
	outputs |= BIT(n);
	set(g, n, level);
	return 0;
}

static int get(struct gpio_chip *g, unsigned int n)
{
	u8 level = 0;
	int failed = ask('g', n, 0, NULL, &level, 1);

	return failed ?: !!level;
}

static struct gpio_chip lines = {
	.label = "bench-board", .owner = THIS_MODULE, .base = -1, .ngpio = ARRAY_SIZE(names), .names = names,
	.can_sleep = true, .get_direction = direction, .direction_input = listen, .direction_output = drive,
	.get = get, .set = set,
};

/* The program's side. */

static int attend(struct inode *i, struct file *f)
{
	int failed = 0;

	mutex_lock(&desk);
	if (attended)
		failed = -EBUSY;
	attended = true;
	mutex_unlock(&desk);
	return failed ?: stream_open(i, f);
}

static int leave(struct inode *i, struct file *f)
{
	mutex_lock(&desk);
	attended = false;
	if (waiting)
		complete(&replied);
	waiting = false;
	mutex_unlock(&desk);
	return 0;
}

static ssize_t hear(struct file *f, char __user *to, size_t room, loff_t *at)
{
	ssize_t n = 0;

	if (!(f->f_flags & O_NONBLOCK))
		n = wait_event_interruptible(bell, waiting && !heard);
	if (n)
		return n;
	mutex_lock(&desk);
	if (!waiting || heard) {
		mutex_unlock(&desk);
		return -EAGAIN;
	}
	n = offsetof(struct question, data) + now->length;
	if (room < n || copy_to_user(to, now, n))
		n = -EFAULT;
	heard = n > 0;
	mutex_unlock(&desk);
	return n;
}

static ssize_t answer(struct file *f, const char __user *from, size_t n, loff_t *at)
{
	ssize_t done = n;

	mutex_lock(&desk);
	if (!waiting || !heard || n != now->length || copy_from_user(reply, from, n)) {
		done = -EINVAL; /* too late, or not what was asked for */
	} else {
		waiting = false;
		complete(&replied);
	}
	mutex_unlock(&desk);
	return done;
}

static __poll_t listened(struct file *f, poll_table *table)
{
	poll_wait(f, &bell, table);
	return EPOLLOUT | (waiting && !heard ? EPOLLIN : 0);
}

static const struct file_operations program = {
	.owner = THIS_MODULE, .open = attend, .release = leave, .read = hear, .write = answer, .poll = listened,
};
static struct miscdevice node = { .minor = MISC_DYNAMIC_MINOR, .name = "bench-board", .fops = &program, .mode = 0600 };

static int __init mount(void)
{
	/* the name is one that the spidev driver knows by itself */
	struct spi_board_info chip = { .modalias = "dh2228fv", .max_speed_hz = 10000000 };
	int failed = -ENOMEM;

	now = kzalloc(sizeof(*now), GFP_KERNEL);
	reply = kzalloc(LONGEST, GFP_KERNEL);
	if (!now || !reply)
		goto memory;
	board = platform_device_register_simple("bench-board", PLATFORM_DEVID_NONE, NULL, 0);
	failed = PTR_ERR_OR_ZERO(board);
	if (failed)
		goto memory;
	bus = spi_alloc_master(&board->dev, 0);
	failed = -ENOMEM;
	if (!bus)
		goto device;
	bus->bus_num = 0;
	bus->num_chipselect = 2;
	bus->bits_per_word_mask = SPI_BPW_MASK(8);
	bus->mode_bits = SPI_CPOL | SPI_CPHA;
	bus->transfer_one_message = carry;
	failed = spi_register_controller(bus);
	if (failed) {
		spi_controller_put(bus);
		goto device;
	}
	for (; chip.chip_select < 2; chip.chip_select++)
		if (!spi_new_device(bus, &chip))
			pr_warn("bench-board: no chip select %u\n", chip.chip_select);
	lines.parent = &board->dev;
	failed = gpiochip_add_data(&lines, NULL);
	if (failed)
		goto controller;
	failed = misc_register(&node);
	if (!failed)
		return 0;
	gpiochip_remove(&lines);
controller:
	spi_unregister_controller(bus);
device:
	platform_device_unregister(board);
memory:
	kfree(now);
	kfree(reply);
	return failed;
}

static void __exit unmount(void)
{
	misc_deregister(&node);
	gpiochip_remove(&lines);
	spi_unregister_controller(bus);
	platform_device_unregister(board);
	kfree(now);
	kfree(reply);
}

module_init(mount);
module_exit(unmount);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("An SPI bus and GPIO lines whose chips are a program");
