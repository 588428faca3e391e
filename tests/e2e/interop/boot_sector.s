# A boot sector that reads its whole disk through the firmware and tells the disk's CRC-32 on the serial port.
#
# The number of sectors is written over the four bytes at 0x1f0 by the test. The program ends QEMU through its
# debug-exit port: status 33 after the sum, 35 when a read failed.

        .set    TABLE, 0x8000           # 256 words of the CRC's table
        .set    BUFFER_SEGMENT, 0x1000  # at 64 KiB, so that no read crosses a segment
        .set    SECTORS_AT_ONCE, 64
        .set    SERIAL, 0x3f8
        .set    DEBUG_EXIT, 0xf4

        .code16
        .globl  start
start:  xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7c00, %sp
        cld
        movb    %dl, drive

        movw    $TABLE, %di
        xorl    %ecx, %ecx
entry:  movl    %ecx, %eax
        movw    $8, %bx
bit:    shrl    $1, %eax
        jnc     even
        xorl    $0xedb88320, %eax
even:   decw    %bx
        jnz     bit
        stosl
        incw    %cx
        cmpw    $256, %cx
        jne     entry

next:   movl    sectors, %eax
        testl   %eax, %eax
        jz      finish
        cmpl    $SECTORS_AT_ONCE, %eax
        jbe     last
        movl    $SECTORS_AT_ONCE, %eax
last:   movw    %ax, packet_count
        subl    %eax, sectors
        movb    $0x42, %ah
        movb    drive, %dl
        movw    $packet, %si
        int     $0x13
        jc      failed
        movzwl  packet_count, %ecx
        addl    %ecx, packet_sector
        shlw    $9, %cx
        movl    sum, %eax
        pushw   $BUFFER_SEGMENT
        popw    %es
        xorw    %di, %di
byte:   movzbw  %es:(%di), %bx
        xorb    %al, %bl
        shlw    $2, %bx
        shrl    $8, %eax
        xorl    TABLE(%bx), %eax
        incw    %di
        loop    byte
        movl    %eax, sum
        jmp     next

finish: movw    $told, %si
        call    print
        movl    sum, %ebx
        notl    %ebx
        movw    $8, %cx
digit:  roll    $4, %ebx
        movb    %bl, %al
        andb    $15, %al
        addb    $'0', %al
        cmpb    $'9', %al
        jbe     decimal
        addb    $'a' - '0' - 10, %al
decimal: call   put
        loop    digit
        movb    $'\n', %al
        call    put
        movb    $16, %al
        jmp     leave

failed: movw    $refused, %si
        call    print
        movb    $17, %al
leave:  movw    $DEBUG_EXIT, %dx
        outb    %al, %dx
halt:   hlt
        jmp     halt

print:  lodsb
        testb   %al, %al
        jz      printed
        call    put
        jmp     print
printed: ret

put:    movb    %al, %ah
        movw    $SERIAL + 5, %dx
wait:   inb     %dx, %al
        testb   $0x20, %al
        jz      wait
        movw    $SERIAL, %dx
        movb    %ah, %al
        outb    %al, %dx
        ret

told:   .asciz  "disk crc32 "
refused: .asciz "a read failed\n"
drive:  .byte   0
sum:    .long   0xffffffff
        .balign 4
packet: .byte   16, 0
packet_count: .word 0
        .word   0, BUFFER_SEGMENT
packet_sector: .quad 0

        .org    0x1f0
sectors: .long  0
        .org    0x1fe
        .word   0xaa55
