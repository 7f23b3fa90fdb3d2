package sample

import "strings"

// A people is a share of the school's families: names that go together.
type people struct {
	weight      int // of 100 students
	spanish     int // of 100 of them, those who read the screen in Spanish
	first, last []string
}

// peoples are common names of Los Angeles, with what makes names hard: accents, ñ, hyphens, apostrophes, spaces.
func peoples() []people {
	names := func(list string) []string { return strings.Split(list, ", ") }
	return []people{
		{54, 70, names("Sofía, Santiago, Guadalupe, José, Ximena, Francisco, Camila, Alejandro, María José, Diego, Valeria, " +
			"Ángel, Daniela, Emiliano, Renata, Jesús, Fernanda, Luis, Itzel, Leonardo, Regina, Óscar, Marisol, Iker, Natalia, " +
			"Andrés, Lucía, Adrián, Paola, Sebastián, Abril, Rubén, Dulce, Joaquín, Alondra, Raúl, Yaretzi, César, Noemí"),
			names("García, Hernández, López, Martínez, González, Rodríguez, Pérez, Sánchez, Ramírez, Torres, Flores, Rivera, " +
				"Gómez, Díaz, Reyes, Morales, Cruz, Ortiz, Gutiérrez, Chávez, Ramos, Ruiz, Mendoza, Castillo, Jiménez, Vásquez, " +
				"Muñoz, Peña, Núñez, Ibáñez, Zúñiga, De la Cruz, De León, García-López, Solís, Ávila")},
		{22, 0, names("Olivia, Noah, Ava, Ethan, Zoe, Jayden, Chloe, Mason, Nia, Elijah, Hannah, Caleb, Grace, Malik, Ruby, " +
			"Owen, Imani, Lucas, Stella, Xavier, Abigail, Julian, Naomi, Isaac, Penelope, DeShawn"),
			names("Johnson, Williams, Brown, Jones, Davis, Miller, Wilson, Moore, Taylor, Anderson, Jackson, White, Harris, Lewis, " +
				"Robinson, Walker, Young, Allen, Wright, O'Neill, D'Angelo, Smith-Jordan, McDaniel, Washington")},
		{7, 0, names("Ani, Arman, Nare, Tigran, Lilit, Davit, Mariam, Hayk, Gohar, Levon"),
			names("Petrosyan, Hakobyan, Grigoryan, Sargsyan, Ter-Petrosyan, Karapetyan, Avetisyan, Manukyan")},
		{6, 0, names("Ji-woo, Seo-yeon, Min-jun, Ha-eun, Do-yun, Ye-jin, Joon, Eun-ji"), names("Kim, Lee, Park, Choi, Jung, Kang, Yoon, Lim")},
		{6, 0, names("Angelica, Jericho, Bea, Miguel, Althea, Kyle, Princess, Gabriel"),
			names("Santos, Reyes, Bautista, Dela Cruz, Villanueva, Macapagal, Ocampo, Aquino")},
		{5, 0, names("Linh, Amir, Priya, Yusuf, Mei, Soraya, Kofi, Anh, Dariush, Aaliyah"),
			names("Nguyễn, Patel, Hosseini, Chen, Abdi, Tran, Mensah, Haddad, Singh, Wu")},
	}
}

// nicknames are what some are called instead of their first name.
func nicknames() map[string]string {
	return map[string]string{
		"Guadalupe": "Lupita", "Francisco": "Paco", "José": "Pepe", "Alejandro": "Alex", "Jesús": "Chuy", "María José": "Majo",
		"Elijah": "Eli", "Abigail": "Abby", "Penelope": "Penny", "Sebastián": "Sebas", "Davit": "Dav", "Gabriel": "Gabe",
	}
}
